"""Origins: where a kit in the local store came from, kept until it is pushed.

They lie beside the store and never in a kit: the same content has the same digest wherever it lay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kitline.plugin.records import Origin
from kitline.store.durable import make_folders, write_durably
from kitline.store.file_lock import locked_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings


def remember_origin(settings: Settings, digest: Digest, origin: Origin) -> None:
    """Note where a kit came from."""
    path = _path(settings, digest)
    make_folders(path.parent)
    fields = {"importer": origin.importer, "source": origin.source, "server": origin.server}
    with locked_folder(path.parent):  # one name for all: what a killed process left is replaced
        write_durably(path, json.dumps(fields).encode(), temporary=path.with_name("origin.new"))


def find_origin(settings: Settings, digest: Digest) -> Origin | None:
    """Return where a kit came from, if that is known here."""
    try:
        found = json.loads(_path(settings, digest).read_text())
        return Origin(
            importer=str(found["importer"]),
            source=str(found["source"]),
            server=found.get("server"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nobody noted it, or the note is unusable: the push goes on without


def _path(settings: Settings, digest: Digest) -> Path:
    return settings.home / "origins" / f"{digest.hex}.json"
