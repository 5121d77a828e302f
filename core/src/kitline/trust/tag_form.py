"""The tag form: signatures as layers under `sha256-….sig` and `.att`, as cosign 1 and 2 wrote them.

Each signature is one more layer, so writers replace each other's manifest, and nobody offers
compare-and-swap. So each writer of ours first announces its layer under a tag of its own, that
nobody else writes; then it reads, merges all that is announced, writes, and does so again until
what is announced by then is there. Whoever writes last has seen every announcement that came before
its last look, and that look is after its last write: no layer is lost.
Source: cosign, `specs/SIGNATURE_SPEC.md` and `specs/ATTESTATION_SPEC.md`.
"""

from __future__ import annotations

import base64
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kitline.errors import (
    MalformedContent,
    NotFound,
    ReferenceMoved,
    StoreError,
    VerificationError,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import encode
from kitline.oci.manifest import ImageManifest
from kitline.store.source import BytesSource
from kitline.trust import evidence
from kitline.trust.authority import KeyAuthority
from kitline.trust.keys import sign_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitline.store.interface import Store
    from kitline.trust.dsse import Envelope
    from kitline.trust.evidence import Evidence
    from kitline.trust.keys import PublicKey, Signer

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
ROUNDS = 8
"""How often a layer that another writer dropped is written again."""
ANNOUNCED_LIMIT = 1000
"""How many announced signatures of one kit are looked at."""
_EPOCH = "0001-01-01T00:00:00Z"


def add_signature(store: Store, subject: Digest, signer: Signer) -> tuple[str, bool]:
    """Add a signature to the `.sig` tag; return the tag and whether anything was written."""
    payload = encode(
        {
            "critical": {
                "identity": {"docker-reference": store.name},
                "image": {"docker-manifest-digest": str(subject)},
                "type": evidence.SIGNING_KIND,
            },
            "optional": None,
        }
    )
    signature = base64.b64encode(sign_checked(signer, payload)).decode()
    layer = _layer(evidence.SIMPLE_SIGNING, payload, {evidence.SIGNATURE: signature})
    tag = evidence.cosign_tag(subject, "sig")
    authority = KeyAuthority(key=signer.public)

    def is_same(each: Descriptor) -> bool:
        return _reads(lambda: evidence.read_tagged_signature(store, each, subject, authority))

    return tag, _add(store, tag, layer, payload, is_same)


def add_attestation(
    store: Store, subject: Digest, envelope: Envelope, predicate_type: str, key: PublicKey
) -> tuple[str, bool]:
    """Add an envelope to the `.att` tag; return the tag and whether anything was written."""
    content = encode(envelope.to_json())
    annotations = {evidence.SIGNATURE: "", "predicateType": predicate_type}
    layer = _layer(evidence.DSSE_LAYER, content, annotations)
    tag = evidence.cosign_tag(subject, "att")
    authority = KeyAuthority(key=key)

    def is_same(each: Descriptor) -> bool:
        return _reads(
            lambda: evidence.read_tagged_attestation(store, each, subject, authority),
            payload=envelope.payload,
        )

    return tag, _add(store, tag, layer, content, is_same)


def _reads(read: Callable[[], Evidence], payload: bytes | None = None) -> bool:
    try:
        found = read()
    except (VerificationError, MalformedContent, NotFound):
        return False
    return payload is None or found.payload == payload


def _add(
    store: Store,
    tag: str,
    layer: Descriptor,
    content: bytes,
    is_same: Callable[[Descriptor], bool],
) -> bool:
    """Add a layer unless there is the same; bring back what other writers lose meanwhile."""
    before = _read(store, tag)
    if before and any(is_same(each) for each in before.layers):
        return False
    alone = _push(store, None, [layer], content)
    store.set_tag(f"{tag}.{alone.digest.hex[:16]}", alone)
    wanted = [layer]
    read: dict[str, Sequence[Descriptor]] = {}
    for number in range(ROUNDS):
        there = list(before.layers) if before else []
        wanted += [each for each in _announced(store, tag, layer, read) if each not in wanted]
        missing = [each for each in wanted if each not in there]
        if not missing:
            return True
        if number:
            time.sleep(random.uniform(0, 0.05 * 2**number))
        replaced = _write(store, tag, before, (*there, *missing), content)
        if replaced is not None and (before is None or replaced != before.digest):
            lost = store.find_manifest(replaced)  # written after we had read, by cosign
            found = lost.layers if isinstance(lost, ImageManifest) else ()
            wanted += [each for each in found if each not in wanted]
        before = _read(store, tag)
    raise StoreError(
        f"add a signature to tag {tag!r} of {store.name!r}: other writers keep replacing it;"
        " sign once more"
    )


def _announced(
    store: Store, tag: str, like: Descriptor, read: dict[str, Sequence[Descriptor]]
) -> list[Descriptor]:
    """Return the layers that writers announced; `read` are those that were read before."""
    for each in store.list_tags(prefix=f"{tag}.")[:ANNOUNCED_LIMIT]:
        if each in read:
            continue
        try:
            found = _read(store, each)
        except (StoreError, VerificationError, MalformedContent, NotFound):
            found = None  # nothing that one of ours wrote
        layers = found.layers if found else ()
        read[each] = [layer for layer in layers[:1] if layer.media_type == like.media_type]
    return [layer for layers in read.values() for layer in layers]


def _read(store: Store, tag: str) -> ImageManifest | None:
    found = store.find_tag(tag)
    if found is None:
        return None
    manifest = store.get_manifest(found.digest)
    if not isinstance(manifest, ImageManifest):
        raise StoreError(f"tag {tag!r} of {store.name!r} holds something else than signatures")
    return manifest


def _write(
    store: Store,
    tag: str,
    before: ImageManifest | None,
    layers: Sequence[Descriptor],
    content: bytes,
) -> Digest | None:
    """Write the manifest; return what the tag pointed at just before."""
    manifest = _push(store, before, layers, content)
    try:
        return store.set_tag(tag, manifest)
    except ReferenceMoved:
        return None  # somebody wrote after us: reading again shows what is left to do


def _push(
    store: Store, before: ImageManifest | None, layers: Sequence[Descriptor], content: bytes
) -> ImageManifest:
    config = encode(_config(layers))
    described = Descriptor(media_type=IMAGE_CONFIG, digest=Digest.of(config), size=len(config))
    manifest = ImageManifest.build(
        config=described, layers=layers, annotations=before.annotations if before else {}
    )
    store.push_blob(BytesSource(content), name="signature")
    store.push_blob(BytesSource(config), digest=described.digest, name="config")
    store.push_manifest(manifest)
    return manifest


def _config(layers: Sequence[Descriptor]) -> dict[str, Any]:
    """Return the image config that cosign writes; it expects one when it appends."""
    return {
        "architecture": "",
        "created": _EPOCH,
        "history": [{"created": _EPOCH} for _ in layers],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [str(each.digest) for each in layers]},
        "config": {},
    }


def _layer(media_type: str, content: bytes, annotations: dict[str, str]) -> Descriptor:
    plain = Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))
    return replace(plain, annotations=annotations)
