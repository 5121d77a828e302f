"""Referrer entries: hints from outside, and the checks that make a referrer of one."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, MalformedContent, VerificationError
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.manifest import SIZE_LIMIT
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT
from kitline.store.registry.manifests import find_manifest
from kitline.store.registry.referrer_tags import tag_may_be_of, tag_prefix
from kitline.store.registry.tags import list_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from kitline.oci.manifest import Manifest
    from kitline.store.progress import Progress
    from kitline.store.registry.client import RegistryClient

_log = logging.getLogger(__name__)

MOST = 50_000
"""Most entries about one subject that are looked at."""
LIST_LIMIT = 64 << 20
"""The largest page of a list, in bytes; some registries answer ten thousand entries at once."""


def read_object(raw: bytes, *, limit: int = SIZE_LIMIT) -> dict[str, Any]:
    """Return an object from outside; empty if it cannot be read."""
    try:
        fields = decode(raw, limit=limit)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def read_entries(fields: dict[str, Any]) -> list[dict[str, object]]:
    """Return what an index from outside lists, as far as it can be read."""
    found = fields.get("manifests")
    if not isinstance(found, list):
        return []
    return [entry for entry in found if isinstance(entry, dict)]


def read_digests(entries: list[dict[str, object]], *, about: Digest | None = None) -> list[Digest]:
    """Return the well-formed digests that entries name, each once.

    What is left out is logged if they are said to be about a manifest.
    """
    found: dict[Digest, None] = {}
    refused: list[object] = []
    for entry in entries:
        try:
            found[Digest(entry.get("digest"))] = None  # type: ignore[arg-type]  # it checks
        except InvalidDigest:
            refused.append(entry.get("digest"))
    if refused and about is not None:
        _log.warning(
            "left out of the referrers of %s: %d without a digest, such as %.100r",
            about,
            len(refused),
            refused[0],
        )
    return list(found)


def entry_of(manifest: Manifest) -> Descriptor:
    """Return the descriptor of a referrer as lists show it."""
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        artifact_type=manifest.kind,
        annotations=manifest.annotations,
    )


def may_be_of(entry: dict[str, object], artifact_type: str | None) -> bool:
    """Tell whether an entry may be of a type; only history, which may be long, is told apart."""
    said = entry.get("artifactType")
    if artifact_type is None or said == artifact_type:
        return True
    return said not in media_types.HISTORY_TYPES and artifact_type not in media_types.HISTORY_TYPES


def check_candidates(
    client: RegistryClient, subject: Digest, digests: Sequence[Digest]
) -> dict[Digest, Descriptor]:
    """Fetch candidates, several at once; those that are whole and about `subject` stay."""
    return _read_all(client, [partial(_check_digest, client, subject, each) for each in digests])


def check_candidate(client: RegistryClient, subject: Digest, digest: Digest) -> Descriptor | None:
    """Fetch a candidate; None unless it is whole and about `subject`."""
    return _check(client, subject, digest)


def read_tagged(
    client: RegistryClient,
    subject: Digest,
    *,
    artifact_type: str | None,
    known: Collection[Digest],
) -> dict[Digest, Descriptor]:
    """Return what the referrer tags point at, checked, but for what is `known`: one GET each."""
    prefix = tag_prefix(subject)
    marks = {digest.hex[:16] for digest in known}
    tags = [
        tag
        for tag in list_tags(client, prefix=prefix)
        if tag.rpartition("-")[2] not in marks and tag_may_be_of(tag, artifact_type)
    ]
    return _read_all(client, [partial(_check_tag, client, subject, tag) for tag in tags[:MOST]])


def tagged_digests(
    client: RegistryClient, subject: Digest, *, known: Collection[Digest]
) -> list[Digest]:
    """Return what the referrer tags of trust point at, but for what is `known`."""
    found = read_tagged(client, subject, artifact_type=media_types.IN_TOTO, known=known)
    return [each for each in found if each not in known]


def _read_all(
    client: RegistryClient, tasks: Sequence[Callable[[Progress], Descriptor | None]]
) -> dict[Digest, Descriptor]:
    found = run_all(tasks, workers=client.options.concurrency, progress=SILENT)
    return {each.digest: each for each in found if each is not None}


def _check_digest(
    client: RegistryClient, subject: Digest, digest: Digest, _progress: Progress
) -> Descriptor | None:
    return _check(client, subject, digest)


def _check_tag(
    client: RegistryClient, subject: Digest, tag: str, _progress: Progress
) -> Descriptor | None:
    return _check(client, subject, tag)


def _check(client: RegistryClient, subject: Digest, name: Digest | str) -> Descriptor | None:
    try:
        manifest = find_manifest(client, name)
        if manifest is None or manifest.subject is None or manifest.subject.digest != subject:
            return None
        return entry_of(manifest)
    except (VerificationError, MalformedContent):
        return None
