"""Referrer tags: the tag of each referrer's own, and the tag of the fallback index.

One tag per referrer means append only: no two writers ever replace each other's. The hex in it is
only an index; what the tag points at is fetched and checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.oci import media_types

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest

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

HISTORY_KINDS = ("derived", "promotion")


def referrer_tag(subject: Digest, manifest: Manifest) -> str:
    """Return the tag of a referrer's own: `<32 hex of the subject>.<kind>-<16 hex>`."""
    return f"{tag_prefix(subject)}{_kind(manifest)}-{manifest.digest.hex[:16]}"


def tag_prefix(subject: Digest) -> str:
    """Return what the tags of all referrers of `subject` begin with."""
    return f"{subject.hex[:32]}."


def tag_may_be_of(tag: str, artifact_type: str | None) -> bool:
    """Tell whether a referrer's tag may be of a type; only history, which may be long, is told."""
    kind = tag.partition(".")[2].rpartition("-")[0]
    if artifact_type in media_types.HISTORY_TYPES:
        return kind == _kind_of_type(artifact_type)
    return artifact_type is None or kind not in HISTORY_KINDS


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
    said = manifest.annotations.get(media_types.PREDICATE_TYPE, "")
    if artifact_type == media_types.IN_TOTO and said:
        return "provenance" if "slsa.dev/provenance" in said else "statement"
    return _kind_of_type(artifact_type)


def _kind_of_type(artifact_type: str) -> str:
    return next((kind for part, kind in _KINDS if part in artifact_type.lower()), "other")
