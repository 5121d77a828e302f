"""Evidence: what a signature or attestation says, read after all checks, in cosign's two forms.

The checks of a bundle, in this order: (1) the referrer's bytes against its digest, (2) its
artifactType, (3) its subject.digest, (4) size and digest of the bundle, (5) payloadType, (6) the
signature over the PAE, (7) the statement's `_type`, (8) a subject of it that is the artifact. Of
the tag form: (4) to (8), since nothing but the tag's name ties its manifest to the artifact; the
payload does.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.errors import FailedCheck, MalformedContent
from kitline.frozen import dataclass
from kitline.oci.json import decode
from kitline.store.verify import read_verified
from kitline.trust import predicate_types
from kitline.trust.bundle import SIZE_LIMIT, Bundle, bundle_layer
from kitline.trust.dsse import Envelope, read_base64
from kitline.trust.statement import parse_statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.interface import Fetcher, ManifestFetcher, ReferrerLister, TagResolver
    from kitline.trust.authority import Authority

    class Source(Fetcher, ManifestFetcher, Protocol):
        """What reading evidence needs of a store."""

    class Shelf(Source, TagResolver, ReferrerLister, Protocol):
        """What finding evidence needs of a store besides."""

        def pin(self, digest: Digest, /) -> PinnedReference | LayoutReference:
            """Return the pinned reference of a manifest in this store."""


SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_LAYER = "application/vnd.dsse.envelope.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
"""The annotation of a layer that holds its signature."""
SIGNING_KIND = "cosign container image signature"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A signature or an attestation; verified if an authority was given."""

    digest: Digest
    """The digest of the referrer, or of the layer in the tag form."""
    form: str
    """`bundle` or `tag`."""
    predicate_type: str
    predicate: Mapping[str, Any] = field(hash=False)
    payload: bytes = field(repr=False)
    """The exact bytes that were signed."""
    signed_by: str = ""
    """The authority that it was verified with; empty if none was given."""

    def to_json(self) -> dict[str, Any]:
        """Return the evidence as `--json` prints it."""
        return {
            "predicateType": self.predicate_type,
            "digest": str(self.digest),
            "form": self.form,
            "verifiedWith": self.signed_by or None,
            "predicate": dict(self.predicate),
        }


def read_bundle(
    store: Source, digest: Digest, subject: Digest, authority: Authority | None
) -> Evidence:
    """Read a referrer that holds a bundle about `subject`; without `authority`, skip step 6.

    Raises:
        FailedCheck: naming the check that failed.
        NotFound, VerificationError: if the store does not hold what it lists.
    """
    layer = bundle_layer(store.get_manifest(digest), subject)  # 1-3
    bundle = Bundle.from_bytes(read_verified(store, layer, SIZE_LIMIT, what="bundle"))  # 4
    bundle.envelope.check_type()  # 5
    if authority is not None:
        authority.check_bundle(bundle)  # 6
    return _evidence(bundle.envelope, subject, digest, "bundle", authority)  # 7, 8


def read_tagged_attestation(
    store: Source, layer: Descriptor, subject: Digest, authority: Authority | None
) -> Evidence:
    """Read a layer of cosign's `.att` tag: a bare envelope. Raises as `read_bundle`."""
    raw = _read_layer(store, layer, DSSE_LAYER)
    try:
        fields = decode(raw, limit=SIZE_LIMIT)
    except ValueError as cause:
        raise FailedCheck("envelope", f"is not valid JSON: {cause}") from cause
    envelope = Envelope.from_json(fields, "envelope")
    envelope.check_type()
    if authority is not None:
        authority.check_envelope(envelope)
    return _evidence(envelope, subject, layer.digest, "tag", authority)


def read_tagged_signature(
    store: Source, layer: Descriptor, subject: Digest, authority: Authority | None
) -> Evidence:
    """Read a layer of cosign's `.sig` tag: a payload, signed as it is. Raises as `read_bundle`."""
    raw = _read_layer(store, layer, SIMPLE_SIGNING)
    signature = read_base64(layer.annotations.get(SIGNATURE), f"annotation {SIGNATURE}")
    if authority is not None:
        authority.check_payload(raw, signature)
    try:
        fields = decode(raw, limit=SIZE_LIMIT)
        critical = fields["critical"]
        kind, named = critical["type"], critical["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError) as cause:
        raise FailedCheck("payload", "is no simple signing payload") from cause
    if kind != SIGNING_KIND:
        raise FailedCheck("payload critical.type", f"is not {SIGNING_KIND!r}")
    if named != str(subject):
        raise FailedCheck("payload critical.image", f"it is about {str(named)[:100]}")
    optional = fields.get("optional")
    return Evidence(
        digest=layer.digest,
        form="tag",
        predicate_type=predicate_types.SIGNATURE,
        predicate=optional if isinstance(optional, dict) else {},
        payload=raw,
        signed_by=authority.name if authority else "",
    )


def _read_layer(store: Source, layer: Descriptor, media_type: str) -> bytes:
    if layer.media_type != media_type:
        raise FailedCheck("layer mediaType", f"is {layer.media_type!r}, not {media_type!r}")
    if layer.size > SIZE_LIMIT:
        raise FailedCheck("layer size", f"{layer.size} is over the limit of {SIZE_LIMIT}")
    return read_verified(store, layer, SIZE_LIMIT, what="layer")


def _evidence(
    envelope: Envelope, subject: Digest, digest: Digest, form: str, authority: Authority | None
) -> Evidence:
    try:
        statement = parse_statement(envelope.payload, subject, limit=SIZE_LIMIT)
    except MalformedContent as cause:
        raise FailedCheck("statement", str(cause)) from cause
    return Evidence(
        digest=digest,
        form=form,
        predicate_type=statement.predicate_type,
        predicate=statement.predicate,
        payload=envelope.payload,
        signed_by=authority.name if authority else "",
    )


def cosign_tag(subject: Digest, suffix: str) -> str:
    """Return the tag under which cosign kept things before there were referrers."""
    return f"{subject.algorithm}-{subject.hex}.{suffix}"
