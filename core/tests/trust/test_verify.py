"""Verification: every check has a signature that fails it, and nothing hides a good one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from kitline.errors import NotSigned, UsageError
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import encode
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.trust import bundle, evidence, predicate_types
from kitline.trust.authority import KeyAuthority
from kitline.trust.dsse import PAYLOAD_TYPE, Envelope, pae
from kitline.trust.keys import private_key
from kitline.trust.sign import attest, push, sign
from kitline.trust.statement import statement_bytes
from kitline.trust.verify import (
    CANDIDATES_LIMIT,
    examine,
    find_candidates,
    verify_attestations,
    verify_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.oci.manifest import Manifest
    from kitline.trust.keys import PrivateKey

SLSA = predicate_types.PROVENANCE


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return private_key(ec.generate_private_key(ec.SECP256R1()), "ours")


@pytest.fixture(scope="module")
def other_key() -> PrivateKey:
    return private_key(ed25519.Ed25519PrivateKey.generate(), "theirs")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("registry.example/team/iris")


def put_kit(store: MemoryStore, text: bytes = b"kit") -> ImageManifest:
    layer = Descriptor(media_type="text/plain", digest=Digest.of(text), size=len(text))
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[layer])
    push(store, manifest, text, b"{}")
    return manifest


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A bundle about a kit, right in every point but those that a test changes."""

    key: PrivateKey
    kit: ImageManifest
    payload: bytes | None = None
    payload_type: str = PAYLOAD_TYPE
    signed_type: str = PAYLOAD_TYPE
    signatures: int = 1
    bundle: dict[str, Any] | None = None
    content: bytes | None = None
    artifact_type: str = media_types.COSIGN_BUNDLE
    layer_type: str = media_types.COSIGN_BUNDLE
    size: int | None = None

    def put(self, store: MemoryStore) -> ImageManifest:
        payload = self.payload
        if payload is None:
            payload = statement_bytes(self.kit.digest, predicate_types.SIGNATURE, {})
        signature = self.key.sign(pae(self.signed_type, payload))
        envelope = Envelope(
            payload=payload,
            payload_type=self.payload_type,
            signatures=(signature,) * self.signatures,
        )
        fields = json.loads(bundle.bundle_bytes(envelope, self.key.public.hint))
        content = self.content
        if content is None:
            content = encode({**fields, **(self.bundle or {})})
        layer = Descriptor(
            media_type=self.layer_type, digest=Digest.of(content), size=self.size or len(content)
        )
        manifest = ImageManifest.build(
            artifact_type=self.artifact_type,
            config=EMPTY_CONFIG,
            layers=[layer],
            subject=self.kit.descriptor,
        )
        store.push_blob(BytesSource(content))
        store.push_manifest(manifest)
        return manifest


def statement(kit: ImageManifest, **changes: object) -> bytes:
    fields = json.loads(statement_bytes(kit.digest, predicate_types.SIGNATURE, {}))
    return json.dumps(fields | changes).encode()


def other_subject() -> list[dict[str, dict[str, str]]]:
    return [{"digest": {"sha256": Digest.of(b"another kit").hex}}]


FORGERIES: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"content": b"{"}, "bundle: is not valid JSON"),
    "no object": ({"content": b"[]"}, "bundle: is not an object"),
    "a key twice": ({"content": b'{"a":1,"a":2}'}, "bundle: is not valid JSON"),
    "nested deep": ({"content": b"[" * 200_000}, "bundle: is not valid JSON"),
    "another version": (
        {"bundle": {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}},
        "bundle.mediaType: is ",
    ),
    "no material": ({"bundle": {"verificationMaterial": None}}, "bundle.verificationMaterial: "),
    "a message signature": ({"bundle": {"messageSignature": {}}}, "bundle: holds a messageSig"),
    "no envelope": ({"bundle": {"dsseEnvelope": None}}, "dsseEnvelope: is not an object"),
    "two signatures": ({"signatures": 2}, "signature: a bundle holds exactly one"),
    "another payload type": (
        {"payload_type": "text/plain", "signed_type": "text/plain"},
        "payloadType: is 'text/plain'",
    ),
    "a type that was not signed": ({"signed_type": "text/plain"}, "signature: was not made with"),
    "another layer type": ({"layer_type": "text/plain"}, "layers: there is not exactly one bundle"),
    "a huge bundle": ({"size": bundle.SIZE_LIMIT + 1}, "layers[0].size: 16777217 is over the lim"),
    "a wrong size": ({"size": 1}, "bundle: expected 1 bytes, found 2 or more"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_malformed_bundle_is_refused_and_the_failed_check_is_named(
    name: str, store: MemoryStore, key: PrivateKey
) -> None:
    changes, reason = FORGERIES[name]
    kit = put_kit(store)
    forged = Forgery(key=key, kit=kit, **changes).put(store)

    with pytest.raises(NotSigned) as refused:
        verify_signature(store, kit.digest, KeyAuthority(key=key.public))

    [failure] = refused.value.failures
    assert failure.startswith(f"{forged.digest} (bundle): {reason[:9]}")
    assert reason in failure
    assert str(refused.value).startswith(
        f"registry.example/team/iris@{kit.digest} is not signed by key 'ours'"
    )


STATEMENTS: dict[str, tuple[dict[str, object], str]] = {
    "another kit": ({"subject": other_subject()}, "statement: its subject is another digest"),
    "no subject": ({"subject": []}, "statement: its subject is another digest"),
    "a subject that is none": ({"subject": "x"}, "statement: its subject is another digest"),
    "another type": ({"_type": "https://in-toto.io/Statement/v9"}, "statement: it is no in-toto"),
    "no predicate type": ({"predicateType": 7}, "statement: predicateType: is not a text"),
    "a list as predicate": ({"predicate": []}, "statement: predicate: is not an object"),
    "an attestation": ({"predicateType": SLSA}, f"predicateType: is {SLSA!r}, not "),
}  # fmt: skip


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_that_does_not_say_this_kit_is_signed_is_no_signature(
    name: str, store: MemoryStore, key: PrivateKey
) -> None:
    changes, reason = STATEMENTS[name]
    kit = put_kit(store)
    Forgery(key=key, kit=kit, payload=statement(kit, **changes)).put(store)

    with pytest.raises(NotSigned) as refused:
        verify_signature(store, kit.digest, KeyAuthority(key=key.public))

    [failure] = refused.value.failures
    assert reason in failure


def test_old_statements_and_several_subjects_are_accepted(
    store: MemoryStore, key: PrivateKey
) -> None:
    kit = put_kit(store)
    subject = [*other_subject(), {"name": "x", "digest": {"sha256": kit.digest.hex}}]
    payload = statement(kit, _type="https://in-toto.io/Statement/v0.1", subject=subject)
    Forgery(key=key, kit=kit, payload=payload).put(store)

    assert verify_signature(store, kit.digest, KeyAuthority(key=key.public)).form == "bundle"


def test_a_referrer_of_another_artifact_type_is_no_signature(
    store: MemoryStore, key: PrivateKey
) -> None:
    kit = put_kit(store)
    Forgery(key=key, kit=kit, artifact_type="application/vnd.example").put(store)

    with pytest.raises(NotSigned, match="nothing that is attached to it is a signature"):
        verify_signature(store, kit.digest, KeyAuthority(key=key.public))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_signature_moved_from_another_kit_is_refused(
    store: MemoryStore, key: PrivateKey, *, legacy: bool
) -> None:
    signed, unsigned = put_kit(store, b"signed"), put_kit(store, b"unsigned")
    done = sign(store, signed, key, legacy=legacy)
    moved = store.get_manifest(done.digest)
    assert isinstance(moved, ImageManifest)
    store.push_manifest(
        ImageManifest.build(
            artifact_type=moved.artifact_type,
            config=moved.config,
            layers=moved.layers,
            subject=unsigned.descriptor,
        )
    )
    if done.tag:
        found = store.find_tag(done.tag)
        assert found is not None
        store.set_tag(evidence.cosign_tag(unsigned.digest, "sig"), store.get_manifest(found.digest))

    with pytest.raises(NotSigned) as refused:
        verify_signature(store, unsigned.digest, KeyAuthority(key=key.public))

    assert "statement: its subject is another digest than that of the kit" in str(refused.value)
    assert ("payload critical.image: it is about" in str(refused.value)) is legacy


def test_a_bad_signature_and_a_foreign_one_hide_no_good_one(
    store: MemoryStore, key: PrivateKey, other_key: PrivateKey
) -> None:
    kit = put_kit(store)
    for changes, _ in FORGERIES.values():
        Forgery(key=key, kit=kit, **changes).put(store)
    sign(store, kit, other_key, legacy=True)
    sign(store, kit, key, legacy=True)

    for each in (key, other_key):
        found = verify_signature(store, kit.digest, KeyAuthority(key=each.public))
        assert found.signed_by == f"key {each.name!r}"


def test_the_tag_form_alone_is_a_signature(store: MemoryStore, key: PrivateKey) -> None:
    kit = put_kit(store)
    store.remove_manifest(sign(store, kit, key, legacy=True).digest)

    found = verify_signature(store, kit.digest, KeyAuthority(key=key.public))

    assert found.form == "tag"
    assert json.loads(found.payload)["critical"]["identity"] == {
        "docker-reference": "registry.example/team/iris"
    }


def test_what_has_only_an_attestation_is_not_signed(store: MemoryStore, key: PrivateKey) -> None:
    kit = put_kit(store)
    attest(store, kit, SLSA, {"x": 1}, key, legacy=True)
    authority = KeyAuthority(key=key.public)

    with pytest.raises(NotSigned, match=r"predicateType: is .*provenance"):
        verify_signature(store, kit.digest, authority)

    found = verify_attestations(store, kit.digest, authority, SLSA)
    assert [(each.form, dict(each.predicate)) for each in found] == [
        ("bundle", {"x": 1}),
        ("tag", {"x": 1}),
    ]
    with pytest.raises(NotSigned, match=r"no attestation of type 'https://spdx.dev/Document'"):
        verify_attestations(store, kit.digest, authority, "https://spdx.dev/Document")


def test_an_attestation_cannot_pass_for_a_signature(store: MemoryStore, key: PrivateKey) -> None:
    with pytest.raises(UsageError, match="is that of signatures; use 'kitline sign'"):
        attest(store, put_kit(store), predicate_types.SIGNATURE, {}, key)


def test_attestations_too_large_to_be_read_again_are_not_written(
    store: MemoryStore, key: PrivateKey
) -> None:
    with pytest.raises(UsageError, match="put large content into the kit"):
        attest(store, put_kit(store), SLSA, {"x": "y" * (bundle.SIZE_LIMIT // 2)}, key)


def test_signing_again_writes_nothing_and_another_key_adds_one(
    store: MemoryStore, key: PrivateKey, other_key: PrivateKey
) -> None:
    kit = put_kit(store)

    first = sign(store, kit, key, legacy=True)
    again = sign(store, kit, key, legacy=True)
    other = sign(store, kit, other_key, legacy=True)
    said = attest(store, kit, SLSA, {"x": 1}, key, legacy=True)
    said_again = attest(store, kit, SLSA, {"x": 1}, key, legacy=True)
    said_more = attest(store, kit, SLSA, {"x": 2}, key, legacy=True)

    assert (first.written, again.written, other.written) == (True, False, True)
    assert first.digest == again.digest != other.digest
    assert (said.written, said_again.written, said_more.written) == (True, False, True)
    forms = [each.form for each in find_candidates(store, kit.digest)]
    assert forms == ["bundle"] * 4 + ["tag"] * 4


class Dice:
    """A key of a service that signs with another random number each time."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = private_key(key, "dice").public

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(data, ec.ECDSA(SHA256()))


def test_signing_again_writes_nothing_with_keys_that_never_sign_the_same_way(
    store: MemoryStore,
) -> None:
    kit, dice = put_kit(store), Dice(ec.generate_private_key(ec.SECP256R1()))

    done = [sign(store, kit, dice, legacy=True).written for _ in range(3)]
    said = [attest(store, kit, SLSA, {}, dice, legacy=True).written for _ in range(3)]

    assert dice.sign(b"x") != dice.sign(b"x")
    assert done == said == [True, False, False]


TAGGED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "payload: is no simple signing payload"),
    "no critical": (b"{}", "payload: is no simple signing payload"),
    "a list": (b'{"critical":[]}', "payload: is no simple signing payload"),
    "another kind": (
        b'{"critical":{"type":"x","image":{"docker-manifest-digest":""}}}',
        "payload critical.type: is not",
    ),
    "another kit": (
        b'{"critical":{"type":"cosign container image signature",'
        b'"image":{"docker-manifest-digest":"sha256:0"}}}',
        "payload critical.image: it is about sha256:0",
    ),
}


@pytest.mark.parametrize("name", TAGGED)
def test_a_malformed_payload_under_the_tag_is_refused(
    name: str, store: MemoryStore, key: PrivateKey
) -> None:
    import base64

    payload, reason = TAGGED[name]
    kit = put_kit(store)
    layer = Descriptor(
        media_type=evidence.SIMPLE_SIGNING,
        digest=Digest.of(payload),
        size=len(payload),
        annotations={evidence.SIGNATURE: base64.b64encode(key.sign(payload)).decode()},
    )
    layers = [
        layer,
        replace(layer, annotations={}),
        replace(layer, media_type="text/plain"),
        replace(layer, size=bundle.SIZE_LIMIT + 1),
    ]
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=layers)
    push(store, manifest, payload, b"{}")
    store.set_tag(evidence.cosign_tag(kit.digest, "sig"), manifest)

    with pytest.raises(NotSigned) as refused:
        verify_signature(store, kit.digest, KeyAuthority(key=key.public))

    first, unsigned, other, huge = refused.value.failures
    assert reason in first
    assert "annotation dev.cosignproject.cosign/signature: is not a text" in unsigned
    assert "layer mediaType: is 'text/plain'" in other
    assert "layer size: 16777217 is over the limit" in huge


def test_a_flood_of_candidates_is_looked_at_up_to_a_limit(
    store: MemoryStore, key: PrivateKey
) -> None:
    kit = put_kit(store)
    layer = Descriptor(media_type=evidence.SIMPLE_SIGNING, digest=Digest.of(b"{}"), size=2)
    manifest = ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[replace(layer, annotations={"n": str(n)}) for n in range(CANDIDATES_LIMIT + 5)],
    )
    push(store, manifest, b"{}", b"{}")
    store.set_tag(evidence.cosign_tag(kit.digest, "sig"), manifest)

    with pytest.raises(NotSigned) as refused:
        verify_signature(store, kit.digest, KeyAuthority(key=key.public))

    assert refused.value.failures[-1] == "5 more were not looked at"
    assert len(str(refused.value).splitlines()) == 12


class SlowStore(MemoryStore):
    """A store where one writer of a `.sig` tag is held up right before its write."""

    meanwhile: Callable[[], object] | None = None

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        """Point the tag; what it pointed at before was looked up before `meanwhile`."""
        if not tag.endswith(".sig") or self.meanwhile is None:
            return super().set_tag(tag, manifest, may_move=may_move)
        before, (meanwhile, self.meanwhile) = self.find_tag(tag), (self.meanwhile, None)
        meanwhile()
        super().set_tag(tag, manifest, may_move=may_move)
        return before.digest if before else None


def test_a_writer_that_was_held_up_brings_back_what_it_replaced_unseen(
    key: PrivateKey, other_key: PrivateKey
) -> None:
    """The other one had read its signature back and gone; no digest tells of it any more."""
    store = SlowStore("registry.example/team/iris")
    kit = put_kit(store)
    store.meanwhile = lambda: sign(store, kit, other_key, legacy=True)

    sign(store, kit, key, legacy=True)

    for each in (key, other_key):
        found = examine(store, kit.digest, KeyAuthority(key=each.public))
        assert sorted(each.form for each in found.passed) == ["bundle", "tag"]


def test_what_others_put_under_the_tags_of_announcements_is_left_out(
    store: MemoryStore, key: PrivateKey
) -> None:
    kit = put_kit(store)
    other = put_kit(store, b"something else")
    store.set_tag(f"{evidence.cosign_tag(kit.digest, 'sig')}.0123456789abcdef", other)

    sign(store, kit, key, legacy=True)

    tagged = store.find_tag(evidence.cosign_tag(kit.digest, "sig"))
    assert tagged is not None
    manifest = store.get_manifest(tagged.digest)
    assert isinstance(manifest, ImageManifest)
    assert len(manifest.layers) == 1
