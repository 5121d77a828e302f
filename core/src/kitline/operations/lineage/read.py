"""Reading for lineage: a manifest becomes a record of what it tells, whatever it is.

Everything comes from outside: what is broken or too large tells nothing, and hides nothing else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kitline.errors import MalformedContent, NotFound, VerificationError
from kitline.kit.load import kit_format
from kitline.lineage.edge import read_edge
from kitline.lineage.facts import read_kit_facts, read_stated_facts
from kitline.lineage.index import Record
from kitline.oci import media_types
from kitline.oci.manifest import ImageManifest
from kitline.store.verify import read_verified
from kitline.trust import evidence
from kitline.trust.statement import read_statement

if TYPE_CHECKING:
    from kitline.lineage.facts import StatedFacts
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.store.interface import Store

CONFIG_LIMIT = 1 << 20
"""The largest config that is read for names and ids, in bytes."""
STATEMENT_LIMIT = 64 << 10
"""The largest statement that is read for lineage, in bytes; provenance has up to 8 KiB."""
STATED_TYPES = (media_types.IN_TOTO, media_types.COSIGN_BUNDLE)
_BROKEN = (VerificationError, MalformedContent, NotFound)
_log = logging.getLogger(__name__)


def read_record(store: Store, manifest: Manifest) -> Record:
    """Read what a manifest of a repository tells about lineage; many tell nothing."""
    return Record(digest=manifest.digest, facts=_read_facts(store, manifest))


def _read_facts(store: Store, manifest: Manifest) -> Any:
    if manifest.subject is None:
        is_kit = isinstance(manifest, ImageManifest) and kit_format(manifest) is not None
        return read_kit_facts(manifest, _config(store, manifest)) if is_kit else None
    if manifest.kind == media_types.DERIVED:
        return read_edge(manifest)
    if manifest.kind in STATED_TYPES:
        return _read_stated(store, manifest, manifest.subject.digest)
    return None


def _config(store: Store, manifest: Manifest) -> bytes:
    config = manifest.config if isinstance(manifest, ImageManifest) else None
    if config is None or config.size > CONFIG_LIMIT:
        return b""
    try:
        return read_verified(store, config, limit=CONFIG_LIMIT)
    except _BROKEN as cause:
        _log.info("the config of %s tells nothing: %s", manifest.digest, cause)
        return b""


def _read_stated(store: Store, manifest: Manifest, subject: Digest) -> StatedFacts | None:
    try:
        if manifest.kind == media_types.IN_TOTO:
            said = read_statement(store, manifest, subject, limit=STATEMENT_LIMIT)
            return read_stated_facts(subject, said.predicate_type, said.predicate)
        found = evidence.read_bundle(store, manifest.digest, subject, None)
        return read_stated_facts(subject, found.predicate_type, found.predicate)
    except _BROKEN as cause:
        _log.info("statement %s tells nothing: %s", manifest.digest, cause)
        return None


def read_stated(store: Store, subject: Digest) -> list[Record]:
    """Read all statements about a kit, signed or not.

    Raises:
        StoreError: if the store cannot be asked.
    """
    listed = {
        each.digest: each
        for kind in STATED_TYPES
        for each in store.list_referrers(subject, artifact_type=kind)
    }
    records = []
    for digest in listed:
        manifest = find_readable(store, digest)
        if manifest is not None:
            records.append(read_record(store, manifest))
    return records


def find_readable(store: Store, name: Digest) -> Manifest | None:
    """Return a manifest, or None if it is not there or broken.

    Raises:
        StoreError: if the store cannot be asked.
    """
    try:
        return store.find_manifest(name)
    except _BROKEN as cause:
        _log.info("manifest %s of %s tells nothing: %s", name, store.name, cause)
        return None
