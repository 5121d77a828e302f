"""sbom: the bill of materials of a kit, attached to it for scanners and auditors to find."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.kit.load import load_kit
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.operations.defaults import settings_or_default
from kitline.operations.sbom.document import bill_of_materials, bom_bytes
from kitline.operations.sbom.requirements import find_requirements
from kitline.operations.stores import Stores, find_manifest, read_reference
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource
from kitline.trust import predicate_types

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.interface import Store
    from kitline.store.progress import Progress
    from kitline.trust.keys import Signer

MEDIA_TYPE = "application/vnd.cyclonedx+json"
"""Type of the referrer and of its one layer, registered by CycloneDX."""


@dataclass(frozen=True, kw_only=True)
class BillOfMaterials:
    """A kit's bill of materials; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    document: Mapping[str, Any] = field(hash=False, repr=False)
    content: bytes = field(repr=False)
    """The exact bytes that are attached."""
    referrer: Digest | None
    """The digest of the referrer; None if it was not attached."""
    written: bool
    """False if the same was there already."""
    attestation: Digest | None = None
    """The signed form, if a key was given."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "referrer": None if self.referrer is None else str(self.referrer),
            "attestation": None if self.attestation is None else str(self.attestation),
            "written": self.written,
            "bom": dict(self.document),
            "warnings": list(self.warnings),
        }


def sbom(
    reference: str | AnyReference,
    *,
    attach: bool = True,
    key: str | Signer | None = None,
    settings: Settings | None = None,
    ask_password: Callable[[str], str] | None = None,
    progress: Progress = SILENT,
) -> BillOfMaterials:
    """Write the bill of materials of a kit in CycloneDX, and attach it; twice writes nothing.

    The layers of model and code are read for `requirements.txt`. With a private `key` the document
    is signed too, as an attestation of type `cyclonedx`. Policies are not asked, since one may
    demand that very attestation.

    Raises:
        NotFound: if there is no such kit.
        NotAModelKit: if the artifact is of another kind.
        VerificationError: if a layer is not what the manifest promises.
    """
    from kitline.trust.key_source import load_signer

    signer = load_signer(key, ask=ask_password) if isinstance(key, str) else key
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        manifest = find_manifest(store, asked)
        kit = load_kit(store, manifest, name=str(asked))
        requirements, unread = find_requirements(store, kit, progress=progress)
        document = bill_of_materials(kit, requirements, unread)
        content = bom_bytes(document)
        referrer, written, attestation = None, False, None
        if attach:
            referrer, written = _attach(store, kit.manifest, content)
        if signer is not None:
            from kitline.trust.sign import attest

            kind = predicate_types.CYCLONEDX
            signed = attest(store, kit.manifest, kind, document, signer)
            attestation, written = signed.digest, written or signed.written
        return BillOfMaterials(
            reference=store.pin(kit.manifest.digest),
            digest=kit.manifest.digest,
            document=document,
            content=content,
            referrer=referrer,
            written=written,
            attestation=attestation,
            warnings=tuple(
                f"layer {each!r} is too large to be searched for requirements" for each in unread
            ),
        )


def _attach(store: Store, subject: ImageManifest, content: bytes) -> tuple[Digest, bool]:
    """Attach the document; return the referrer's digest and whether something was written."""
    layer = Descriptor(media_type=MEDIA_TYPE, digest=Digest.of(content), size=len(content))
    manifest = ImageManifest.build(
        artifact_type=MEDIA_TYPE,
        config=EMPTY_CONFIG,
        layers=[layer],
        subject=subject.descriptor,
    )
    listed = store.list_referrers(subject.digest, artifact_type=MEDIA_TYPE)
    if any(each.digest == manifest.digest for each in listed):
        return manifest.digest, False
    store.push_blob(BytesSource(content), digest=layer.digest, name="bill of materials")
    store.push_blob(BytesSource(b"{}"), digest=EMPTY_CONFIG.digest, name="config")
    store.push_manifest(manifest)
    return manifest.digest, True
