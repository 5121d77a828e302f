"""Sigstore bundles, version 0.3: an envelope and what it takes to verify it, in one referrer.

This is what cosign 3 writes for signatures and attestations alike. What kitline writes holds no
time, so that signing the same again gives the same referrer.
Source: sigstore protobuf-specs, `sigstore_bundle.proto`; the referrer's form was read off cosign
3.1.
"""

from __future__ import annotations

from dataclasses import field

from kitline.errors import FailedCheck
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import decode, encode
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest, Manifest
from kitline.trust.dsse import Envelope

SIZE_LIMIT = 16 << 20
"""The largest bundle that is written or read, in bytes."""
CONTENT = "dev.sigstore.bundle.content"
PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle from outside: its bytes and its envelope; nothing of it is verified yet."""

    raw: bytes = field(repr=False)
    envelope: Envelope

    @classmethod
    def from_bytes(cls, raw: bytes) -> Bundle:
        """Read a bundle.

        Raises:
            FailedCheck: if it is malformed, of another version or holds no envelope.
        """
        try:
            fields = decode(raw, limit=SIZE_LIMIT)
        except ValueError as cause:
            raise FailedCheck("bundle", f"is not valid JSON: {cause}") from cause
        if not isinstance(fields, dict):
            raise FailedCheck("bundle", "is not an object")
        if fields.get("mediaType") != media_types.COSIGN_BUNDLE:
            raise FailedCheck(
                "bundle.mediaType",
                f"is {str(fields.get('mediaType'))[:100]!r}, not {media_types.COSIGN_BUNDLE!r}",
            )
        if not isinstance(fields.get("verificationMaterial"), dict):
            raise FailedCheck("bundle.verificationMaterial", "is not an object")
        if "messageSignature" in fields:
            raise FailedCheck("bundle", "holds a messageSignature instead of a dsseEnvelope")
        return cls(raw=raw, envelope=Envelope.from_json(fields.get("dsseEnvelope")))


def bundle_bytes(envelope: Envelope, hint: str) -> bytes:
    """Return a bundle that is verified with a key; `hint` says which."""
    return encode(
        {
            "mediaType": media_types.COSIGN_BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": envelope.to_json(),
        }
    )


def bundle_manifest(subject: Manifest, content: bytes, predicate_type: str) -> ImageManifest:
    """Return the referrer of `subject` that carries a bundle."""
    layer = Descriptor(
        media_type=media_types.COSIGN_BUNDLE, digest=Digest.of(content), size=len(content)
    )
    return ImageManifest.build(
        artifact_type=media_types.COSIGN_BUNDLE,
        config=EMPTY_CONFIG,
        layers=[layer],
        subject=subject.descriptor,
        annotations={CONTENT: "dsse-envelope", PREDICATE_TYPE: predicate_type},
    )


def bundle_layer(manifest: Manifest, subject: Digest) -> Descriptor:
    """Return the layer of a referrer that holds a bundle about `subject`.

    Raises:
        FailedCheck: if it is no such referrer, or its bundle is too large.
    """
    if manifest.artifact_type != media_types.COSIGN_BUNDLE:
        raise FailedCheck("artifactType", f"is {manifest.artifact_type!r}, not that of a bundle")
    if manifest.subject is None or manifest.subject.digest != subject:
        about = manifest.subject.digest if manifest.subject else "nothing"
        raise FailedCheck("subject.digest", f"it is about {about}")
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    if len(layers) != 1 or layers[0].media_type != media_types.COSIGN_BUNDLE:
        raise FailedCheck("layers", "there is not exactly one bundle")
    if layers[0].size > SIZE_LIMIT:
        raise FailedCheck("layers[0].size", f"{layers[0].size} is over the limit of {SIZE_LIMIT}")
    return layers[0]
