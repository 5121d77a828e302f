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
import re
import time
from typing import TYPE_CHECKING, Any

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
from kitline.oci.json import decode, encode
from kitline.oci.manifest import Manifest
from kitline.store.registry.manifests import find_bytes, find_manifest, put_manifest
from kitline.store.registry.tags import find_tag, list_tags, next_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.store.registry.client import RegistryClient

_log = logging.getLogger(__name__)
MOST = 10_000
"""Most entries about one subject that are looked at."""
_ROUNDS = 10
_TRUST_TAG = re.compile(r"\.(?:signature|attestation|provenance|sbom|other)-[0-9a-f]{16}\Z")
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
    """Add to the fallback index what other tools look for, this manifest and lost ones too.

    Every writer has tagged its referrer before it comes here, and leaves only when the index
    holds all that is tagged: whoever writes last therefore brings back what others lost.
    """
    tag = fallback_tag(subject)
    for number in range(_ROUNDS):
        fields = _fallback_fields(client, subject)
        entries = [entry for entry in _entries(fields) if _is_readable(entry)]
        missing = _missing(client, subject, {str(entry["digest"]) for entry in entries})
        if not missing:
            return
        _pause(number)
        fields = {"schemaVersion": 2, "mediaType": media_types.IMAGE_INDEX, **fields}
        fields["manifests"] = [*entries, *(each.to_json() for each in missing)]
        put_manifest(client, Manifest.from_bytes(encode(fields)), tag)
    known = {entry.get("digest") for entry in _entries(_fallback_fields(client, subject))}
    if str(manifest.digest) not in known:
        raise RegistryError(
            f"attach {manifest.digest} to {subject}: other writers keep replacing the list of"
            f" referrers (tag {tag!r}); the referrer itself is stored, so push it once more"
        )


def _missing(client: RegistryClient, subject: Digest, known: set[str]) -> list[Descriptor]:
    """Return the tagged referrers of trust types that are not `known` by their digest."""
    marks = {text.partition(":")[2][:16] for text in known}
    missing = []
    for tag in list_tags(client, prefix=tag_prefix(subject))[:MOST]:
        if tag.rpartition("-")[2] in marks or not _TRUST_TAG.search(tag):
            continue
        found = find_tag(client, tag)
        entry = _checked(client, subject, found.digest) if found else None
        if entry is not None and entry.artifact_type in media_types.TRUST_TYPES:
            missing.append(entry)
    return [each for each in missing if str(each.digest) not in known]


def _is_readable(entry: dict[str, object]) -> bool:
    try:
        Descriptor.from_json(entry)
    except InvalidDescriptor:
        return False
    return True


def _entry(manifest: Manifest) -> Descriptor:
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        artifact_type=manifest.kind,
        annotations=manifest.annotations,
    )


def _pause(number: int) -> None:
    if number:
        time.sleep(random.uniform(0.0, 0.1 * number))


def list_referrers(
    client: RegistryClient, subject: Digest, *, artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return the checked referrers of a manifest, sorted by digest."""
    candidates: set[Digest] = set()
    for entry in (
        *(_api_entries(client, subject) or ()),
        *_entries(_fallback_fields(client, subject)),
    ):
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


def _fallback_fields(client: RegistryClient, subject: Digest) -> dict[str, Any]:
    """Return the fallback index as it is, so that foreign fields survive; empty for none."""
    try:
        found = find_bytes(client, fallback_tag(subject))
    except VerificationError:
        return {}
    return _decoded(found[0]) if found else {}


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
        found.extend(_entries(_decoded(response.content)))
        url = next_page(client, url, response.headers.get("Link", ""))
    return found


def _decoded(raw: bytes) -> dict[str, Any]:
    """Return an object from outside; empty if it cannot be read."""
    try:
        fields = decode(raw)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _entries(fields: dict[str, Any]) -> list[dict[str, object]]:
    """Return what an index from outside lists, as far as it can be read."""
    found = fields.get("manifests")
    if not isinstance(found, list):
        return []
    return [entry for entry in found if isinstance(entry, dict)]
