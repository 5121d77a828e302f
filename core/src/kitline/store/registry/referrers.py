"""Referrers: manifests about a manifest, written so that no list can lose them.

A referrer is stored by digest, under a tag of its own (append only, nobody overwrites it), and,
where the registry lacks the referrers API and other tools look for it, in the fallback index.
Reading merges all three. Entries are hints: each manifest is fetched and checked.

Source: OCI distribution specification, "Listing Referrers" and "Pushing Manifests with Subject";
losses between parallel writers and their healing are measured in the reference, section 10.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING

from kitline.errors import (
    InvalidDescriptor,
    InvalidDigest,
    InvalidManifest,
    RegistryError,
    VerificationError,
)
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.manifest import ImageIndex
from kitline.store.registry.manifests import find_manifest, put_manifest
from kitline.store.registry.tags import find_tag, list_tags, next_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.oci.manifest import Manifest
    from kitline.store.registry.client import RegistryClient

_log = logging.getLogger(__name__)
MOST = 10_000
"""Most entries about one subject that are looked at."""
_ROUNDS = 6
_KINDS = (
    ("sig", "signature"),
    ("sigstore.bundle", "signature"),
    ("provenance", "provenance"),
    ("slsa", "provenance"),
    ("in-toto", "attestation"),
    ("attest", "attestation"),
    ("spdx", "sbom"),
    ("cyclonedx", "sbom"),
    ("sbom", "sbom"),
    ("promotion", "promotion"),
    ("derived", "derived"),
)


def referrer_tag(subject: Digest, manifest: Manifest) -> str:
    """Return the tag of a referrer's own: `<32 hex of the subject>.<kind>-<16 hex>`."""
    return f"{tag_prefix(subject)}{_kind(manifest)}-{manifest.digest.hex[:16]}"


def tag_prefix(subject: Digest) -> str:
    """Return what the tags of all referrers of `subject` begin with."""
    return f"{subject.hex[:32]}."


def fallback_tag(subject: Digest) -> str:
    """Return the tag of the fallback index, `sha256-<hex>`."""
    return f"{subject.algorithm}-{subject.hex}"[:128]


def _kind(manifest: Manifest) -> str:
    artifact_type = manifest.kind or ""
    predicate = manifest.annotations.get("dev.sigstore.bundle.predicateType", "")
    if artifact_type == media_types.COSIGN_BUNDLE and predicate:
        if "slsa.dev/provenance" in predicate:
            return "provenance"
        return "signature" if "cosign/sign" in predicate else "attestation"
    return next((kind for part, kind in _KINDS if part in artifact_type.lower()), "other")


def push_referrer(client: RegistryClient, manifest: Manifest) -> None:
    """Store a manifest with a subject so that `list_referrers` and other tools find it."""
    assert manifest.subject is not None
    subject = manifest.subject.digest
    response = put_manifest(client, manifest, str(manifest.digest))
    has_api = "OCI-Subject" in response.headers
    tag = referrer_tag(subject, manifest)
    found = find_tag(client, tag)
    if found is None or found.digest != manifest.digest:
        put_manifest(client, manifest, tag)
    if has_api:
        listed = _heal_api(client, subject, manifest)
        if listed is not None:
            return
    if manifest.kind in media_types.TRUST_TYPES:
        try:
            _enter_fallback(client, subject, manifest)
        except RegistryError as refused:
            if refused.status is None:
                raise
            # Immutable tags: the list cannot grow, but the referrer's own tag is there.
            _log.warning("%s is not in the list that other tools read: %s", tag, refused)


def _heal_api(client: RegistryClient, subject: Digest, manifest: Manifest) -> bool | None:
    """Put the manifest again until the API lists it; None if there is no API after all."""
    for number in range(_ROUNDS):
        entries = _api_entries(client, subject)
        if entries is None:
            return None
        if any(entry.get("digest") == str(manifest.digest) for entry in entries):
            return True
        _pause(number)
        put_manifest(client, manifest, str(manifest.digest))
    return False


def _enter_fallback(client: RegistryClient, subject: Digest, manifest: Manifest) -> None:
    """Add an entry to the fallback index; repeat while other writers lose it."""
    tag = fallback_tag(subject)
    for number in range(_ROUNDS):
        entries = _fallback_entries(client, subject)
        if any(entry.get("digest") == str(manifest.digest) for entry in entries):
            return
        kept = [found for entry in entries if (found := _readable(entry)) is not None]
        put_manifest(client, ImageIndex.build(manifests=[*kept, _entry(manifest)]), tag)
        _pause(number)
    entries = _fallback_entries(client, subject)
    if not any(entry.get("digest") == str(manifest.digest) for entry in entries):
        raise RegistryError(
            f"attach {manifest.digest} to {subject}: other writers keep replacing the list of"
            f" referrers (tag {tag!r}); the referrer itself is stored, so push it once more"
        )


def _entry(manifest: Manifest) -> Descriptor:
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        artifact_type=manifest.kind,
        annotations=manifest.annotations,
    )


def _readable(entry: dict[str, object]) -> Descriptor | None:
    try:
        return Descriptor.from_json(entry)
    except (InvalidDescriptor, ValueError):
        return None


def _pause(number: int) -> None:
    if number:
        time.sleep(random.uniform(0.0, 0.1 * number))


def list_referrers(
    client: RegistryClient, subject: Digest, *, artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return the checked referrers of a manifest, sorted by digest."""
    candidates: set[Digest] = set()
    for entry in (*(_api_entries(client, subject) or ()), *_fallback_entries(client, subject)):
        try:
            candidates.add(Digest(entry["digest"]))  # type: ignore[arg-type]  # Digest checks
        except (InvalidDigest, KeyError):
            continue
    for tag in list_tags(client, prefix=tag_prefix(subject)):
        found = find_tag(client, tag)
        if found is not None:
            candidates.add(found.digest)
    checked = (_checked(client, subject, digest) for digest in sorted(candidates)[:MOST])
    return tuple(
        found
        for found in checked
        if found is not None and artifact_type in (None, found.artifact_type)
    )


def _checked(client: RegistryClient, subject: Digest, digest: Digest) -> Descriptor | None:
    """Fetch a candidate; None unless it is whole and about `subject`."""
    try:
        manifest = find_manifest(client, digest)
    except (VerificationError, InvalidManifest):
        return None
    if manifest is None or manifest.subject is None or manifest.subject.digest != subject:
        return None
    try:
        return _entry(manifest)
    except InvalidDescriptor:
        return None


def _fallback_entries(client: RegistryClient, subject: Digest) -> Sequence[dict[str, object]]:
    try:
        index = find_manifest(client, fallback_tag(subject))
    except (VerificationError, InvalidManifest):
        return ()
    return _entries(index.raw) if isinstance(index, ImageIndex) else ()


def _api_entries(client: RegistryClient, subject: Digest) -> Sequence[dict[str, object]] | None:
    """Read all pages of the referrers API; None if the registry has none."""
    found: list[dict[str, object]] = []
    url: str | None = client.url(f"referrers/{subject}")
    seen: set[str] = set()
    while url is not None and url not in seen and len(found) < MOST:
        seen.add(url)
        response = client.send(
            "GET",
            url,
            f"list referrers of {subject} in {client.registry}/{client.repository}",
            expect={200, 400, 404, 405, 406, 501},
            scopes=client.scope("pull"),
            headers={"Accept": media_types.IMAGE_INDEX},
        )
        if response.status_code != 200:
            return found or None
        if "json" not in response.headers.get("Content-Type", ""):
            return None
        found.extend(_entries(response.content))
        url = next_page(client, url, response.headers.get("Link", ""))
    return found


def _entries(raw: bytes) -> list[dict[str, object]]:
    """Return the entries of an index from outside; none if it cannot be read."""
    try:
        manifests = decode(raw, limit=len(raw))["manifests"]
    except (ValueError, KeyError, TypeError):
        return []
    if not isinstance(manifests, list):
        return []
    return [entry for entry in manifests if isinstance(entry, dict)]
