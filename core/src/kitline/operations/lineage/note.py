"""Notes: what is written from here is known to the lineage index without reading it again.

The index only saves work. If it cannot be written, kits land as they would without it.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.kit.kit_config import to_config
from kitline.lineage.facts import read_kit_facts, read_stated_facts
from kitline.lineage.index import LineageIndex, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.kit.kitfile import Kitfile
    from kitline.oci.manifest import Manifest
    from kitline.operations.attached import Attached
    from kitline.operations.settings import Settings

_log = logging.getLogger(__name__)
_FAILURES = (KitlineError, sqlite3.Error, ValueError, OSError)


def make_index(settings: Settings) -> None:
    """Make the index if there is none yet: that waits for the disk, and `note_landed` need not."""
    with suppress(*_FAILURES):
        if not settings.lineage_file.exists():
            LineageIndex(settings.lineage_file).close()


def note_landed(
    settings: Settings,
    repository: str,
    manifest: Manifest,
    *,
    kitfile: Kitfile | None,
    tag: str | None,
    attached: Attached,
) -> None:
    """Note a kit that landed in a registry, and what was said of it.

    Without `kitfile`, only that it lies there. The local store needs no notes: whoever asks sees
    whether it has changed.
    """
    try:
        config = None if kitfile is None else to_config(kitfile)
        with LineageIndex(settings.lineage_file) as index, index.writing():
            if config is None:
                index.note_place(repository, manifest.digest)
            else:
                index.add(repository, _records(manifest, config, attached))
            if tag is not None:
                index.add_tags(repository, {tag: manifest.digest}, set())
    except _FAILURES as cause:
        _log.info("the lineage index does not know of %s: %s", manifest.digest, cause)


def _records(manifest: Manifest, config: bytes, attached: Attached) -> Iterator[Record]:
    yield Record(digest=manifest.digest, facts=read_kit_facts(manifest, config))
    for digest, said in attached.said:
        facts = read_stated_facts(manifest.digest, said.predicate_type, said.predicate)
        yield Record(digest=digest, facts=facts)
