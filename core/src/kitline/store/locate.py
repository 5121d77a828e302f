"""Which folder of the local store holds which repository, and back.

The repository `team/iris` lies in `ROOT/team/iris`, so that any program that serves a folder of
layouts serves it under that name. A layout may hold others: `a` and `a/b` both work.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import InvalidReference
from kitline.oci.reference import Reference
from kitline.store.layout_index import INDEX_FILE, LAYOUT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOB_FOLDER = "blobs"
INGEST_FOLDER = "ingest"
RESERVED = (BLOB_FOLDER, INGEST_FOLDER, LAYOUT_FILE, INDEX_FILE)
"""What a layout keeps in its own folder; a repository component of that name gets a `~`."""
_REGISTRY = re.compile(r"[A-Za-z0-9._:\[\]-]+\Z")
# '~' stands for ':' in a registry and marks reserved names; no reference may hold it.
_MARK = "~"


def repository_folder(root: Path, reference: Reference) -> Path:
    """Return the folder below `root` that holds a repository.

    Raises:
        InvalidReference: if the registry cannot be part of a path.
    """
    parts: list[str] = []
    if reference.registry is not None:
        if not _REGISTRY.match(reference.registry) or reference.registry.strip(".") == "":
            raise InvalidReference(str(reference), "registry", "cannot name a folder")
        parts.append(reference.registry.replace(":", _MARK))
    for component in reference.repository.split("/"):
        parts.append(component + (_MARK if component in RESERVED and parts else ""))
    return root.joinpath(*parts)


def repository_name(root: Path, folder: Path) -> str | None:
    """Return the repository that lies in `folder`, or None if the name cannot be one of ours."""
    first, *rest = folder.relative_to(root).parts
    parts = [first.replace(_MARK, ":") if rest else first]
    for part in rest:
        plain = part.removesuffix(_MARK)
        parts.append(plain if plain in RESERVED else part)
    name = "/".join(parts)
    try:
        reference = Reference.parse(name)
    except InvalidReference:
        return None
    is_ours = repository_folder(root, reference) == folder
    return name if is_ours and not (reference.tag or reference.digest) else None


def find_layouts(root: Path) -> Iterator[Path]:
    """Yield every folder below `root` that is a layout, in no order; follows no links."""
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError:
            continue  # gone meanwhile, or not ours to read
        is_layout = any(each.name == LAYOUT_FILE for each in entries)
        if is_layout:
            yield Path(folder)
        for each in entries:
            is_own = folder != str(root) and each.name in RESERVED
            if not is_own and not each.name.startswith(".") and each.is_dir(follow_symlinks=False):
                waiting.append(each.path)
