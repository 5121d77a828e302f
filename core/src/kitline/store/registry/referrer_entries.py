"""Referrer entries: hints from outside, and the checks that make a referrer of one."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, MalformedContent, VerificationError
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.store.registry.manifests import find_manifest
from kitline.store.registry.referrer_tags import tag_prefix
from kitline.store.registry.tags import find_tag, list_tags

if TYPE_CHECKING:
    from collections.abc import Collection

    from kitline.oci.manifest import Manifest
    from kitline.store.registry.client import RegistryClient

_log = logging.getLogger(__name__)

MOST = 10_000
"""Most entries about one subject that are looked at."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Return an object from outside; empty if it cannot be read."""
    try:
        fields = decode(raw)
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


def check_candidate(client: RegistryClient, subject: Digest, digest: Digest) -> Descriptor | None:
    """Fetch a candidate; None unless it is whole and about `subject`."""
    try:
        manifest = find_manifest(client, digest)
        if manifest is None or manifest.subject is None or manifest.subject.digest != subject:
            return None
        return entry_of(manifest)
    except (VerificationError, MalformedContent):
        return None


def tagged_digests(
    client: RegistryClient, subject: Digest, *, known: Collection[Digest]
) -> list[Digest]:
    """Return what the referrer tags point at, without looking at the tags of `known` ones."""
    marks = {digest.hex[:16] for digest in known}
    found: dict[Digest, None] = {}
    for tag in list_tags(client, prefix=tag_prefix(subject))[:MOST]:
        if tag.rpartition("-")[2] in marks:
            continue
        with suppress(VerificationError, MalformedContent):
            pointed = find_tag(client, tag)
            if pointed is not None and pointed.digest not in known:
                found[pointed.digest] = None
    return list(found)
