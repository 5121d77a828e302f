"""Golden vectors: small folders and what the real `kit` made of them, byte for byte.

A vector is a folder with `tree.json`, `Kitfile`, `expected.json`, `config.json`, `manifest.json`
and sometimes `blobs/`.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.testing.trees import File, Folder, Link, write_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "KITLINE_VECTORS"
"""The environment variable that names the folder of vectors."""


@dataclass(frozen=True, kw_only=True)
class VectorCase:
    """One vector; `expected` is the parsed `expected.json`."""

    folder: Path
    entries: Sequence[Mapping[str, Any]]
    pack_args: tuple[str, ...]
    expected: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the folder; also what pytest shows."""
        return self.folder.name

    @property
    def kitfile(self) -> bytes:
        """The bytes of the Kitfile."""
        return (self.folder / "Kitfile").read_bytes()

    @property
    def config(self) -> bytes:
        """The config blob as kit wrote it."""
        return (self.folder / "config.json").read_bytes()

    @property
    def manifest(self) -> bytes:
        """The manifest as kit wrote it."""
        return (self.folder / "manifest.json").read_bytes()

    @property
    def manifest_annotations(self) -> dict[str, str]:
        """The annotations of kit's manifest."""
        return dict(json.loads(self.manifest)["annotations"])

    def blob(self, digest: str) -> bytes:
        """Return a layer as kit wrote it; only `compressed-*` cases keep them."""
        return (self.folder / "blobs" / digest.partition(":")[2]).read_bytes()

    def write(self, root: Path) -> Path:
        """Write the tree and the Kitfile below `root`; return `root`."""
        write_tree(root, {each["path"]: _node(each) for each in self.entries})
        (root / "Kitfile").write_bytes(self.kitfile)
        return root

    def __str__(self) -> str:
        return self.name


def vector_cases(folder: Path | None) -> list[VectorCase]:
    """Return all vectors in a folder, by name; none if there is no folder."""
    if folder is None:
        return []
    return [_read(each.parent) for each in sorted(folder.glob("*/tree.json"))]


def find_vectors(repository: Path) -> Path | None:
    """Return the folder of vectors: `KITLINE_VECTORS`, else `../shared/vectors` of a repository."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else repository.parent / "shared" / "vectors"
    return folder if folder.is_dir() else None


def _read(folder: Path) -> VectorCase:
    tree = json.loads((folder / "tree.json").read_bytes())
    return VectorCase(
        folder=folder,
        entries=tuple(tree["entries"]),
        pack_args=tuple(tree.get("pack_args", ())),
        expected=json.loads((folder / "expected.json").read_bytes()),
    )


def _node(entry: Mapping[str, Any]) -> File | Folder | Link:
    kind = entry.get("type", "file")
    if kind == "symlink":
        return Link(target=entry["target"])
    if kind == "dir":
        return Folder(mode=int(entry.get("mode", "0755"), 8))
    mode = int(entry.get("mode", "0644"), 8)
    return File(content=_content(entry), mode=mode, mtime=entry.get("mtime"))


def _content(entry: Mapping[str, Any]) -> bytes:
    if "text" in entry:
        return str(entry["text"]).encode()
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    pattern, size = entry["fill"]["pattern"].encode(), int(entry["fill"]["size"])
    return bytes((pattern * (size // len(pattern) + 1))[:size])
