"""Signing: write a bundle as a referrer, and the tag form beside it where that is asked for.

What is there already is not written again: neither a signature of the same artifact by the same
key, nor an attestation of the same content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.frozen import dataclass
from kitline.store.source import BytesSource
from kitline.trust import predicate_types
from kitline.trust.authority import KeyAuthority
from kitline.trust.bundle import SIZE_LIMIT, bundle_bytes, bundle_manifest
from kitline.trust.dsse import Envelope, seal
from kitline.trust.statement import statement_bytes
from kitline.trust.tag_form import add_attestation, add_signature
from kitline.trust.verify import examine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import ImageManifest, Manifest
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer

NO_CLAIMS: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signature or an attestation that is now in the store."""

    digest: Digest
    """The digest of the referrer."""
    written: bool
    """Whether something was written; False if all of it was there."""
    tag: str | None = None
    """The tag of the tag form, if that was asked for."""


def sign(store: Store, subject: Manifest, signer: Signer, *, legacy: bool = False) -> Signed:
    """Sign a manifest of the store."""
    kind = predicate_types.SIGNATURE
    payload = statement_bytes(subject.digest, kind, NO_CLAIMS)
    found = _find(store, subject.digest, signer, kind, payload=None)
    digest = found or _attach(store, subject, seal(payload, signer), kind, signer)
    tag, added = add_signature(store, subject.digest, signer) if legacy else (None, False)
    return Signed(digest=digest, written=found is None or added, tag=tag)


def attest(
    store: Store,
    subject: Manifest,
    predicate_type: str,
    predicate: Mapping[str, Any],
    signer: Signer,
    *,
    legacy: bool = False,
) -> Signed:
    """Sign a statement about a manifest of the store.

    Raises:
        UsageError: if the predicate is not JSON or too large, or the type that of a signature.
    """
    if predicate_type == predicate_types.SIGNATURE:
        raise UsageError(f"type {predicate_type!r} is that of signatures; use 'kitline sign'")
    payload = statement_bytes(subject.digest, predicate_type, predicate)
    if 2 * len(payload) > SIZE_LIMIT:
        raise UsageError(
            f"cannot attest to {len(payload)} bytes: the limit is {SIZE_LIMIT // 2};"
            " put large content into the kit"
        )
    found = _find(store, subject.digest, signer, predicate_type, payload=payload)
    envelope = seal(payload, signer)
    digest = found or _attach(store, subject, envelope, predicate_type, signer)
    tag, added = None, False
    if legacy:
        tag, added = add_attestation(store, subject.digest, envelope, predicate_type, signer.public)
    return Signed(digest=digest, written=found is None or added, tag=tag)


def _find(
    store: Store, subject: Digest, signer: Signer, kind: str, *, payload: bytes | None
) -> Digest | None:
    """Return the referrer by this key that says the same; any of the kind if no payload is given.

    Keys of a KMS and of old libraries sign with a random number each time, so equal bytes are not
    what to look for.
    """
    found = examine(store, subject, KeyAuthority(key=signer.public), kind)
    for each in found.passed:
        if each.form == "bundle" and payload in (None, each.payload):
            return each.digest
    return None


def _attach(
    store: Store, subject: Manifest, envelope: Envelope, kind: str, signer: Signer
) -> Digest:
    content = bundle_bytes(envelope, signer.public.hint)
    manifest = bundle_manifest(subject, content, kind)
    push(store, manifest, content, b"{}")
    return manifest.digest


def push(store: Store, manifest: ImageManifest, content: bytes, config: bytes) -> None:
    """Store a small artifact of one new layer."""
    store.push_blob(BytesSource(content), digest=manifest.layers[-1].digest, name="signature")
    store.push_blob(BytesSource(config), digest=manifest.config.digest, name="config")
    store.push_manifest(manifest)
