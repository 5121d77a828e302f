"""DSSE envelopes: the encoding that is signed, and what is refused of one from outside."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from kitline.errors import FailedCheck
from kitline.trust.dsse import PAYLOAD_TYPE, Envelope, pae, seal
from kitline.trust.keys import private_key

if TYPE_CHECKING:
    from kitline.trust.keys import PrivateKey


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return private_key(ec.generate_private_key(ec.SECP256R1()), "k")


def test_what_is_signed_is_the_encoding_of_the_specification() -> None:
    encoded = pae("http://example.com/HelloWorld", b"hello world")

    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_an_envelope_round_trips_and_verifies(key: PrivateKey) -> None:
    envelope = seal(b"{}", key)

    read = Envelope.from_json(envelope.to_json())

    assert read == envelope
    assert "keyid" not in envelope.to_json()["signatures"][0]  # cosign refuses one
    read.check_type()
    read.check_signature(key.public)


def test_a_signature_over_the_payload_alone_is_refused(key: PrivateKey) -> None:
    envelope = Envelope(payload=b"{}", payload_type=PAYLOAD_TYPE, signatures=(key.sign(b"{}"),))

    with pytest.raises(FailedCheck, match=r"^signature: was not made with key 'k'$"):
        envelope.check_signature(key.public)


def test_a_signature_does_not_hold_for_another_payload_type(key: PrivateKey) -> None:
    signature = key.sign(pae("text/plain", b"{}"))
    envelope = Envelope(payload=b"{}", payload_type=PAYLOAD_TYPE, signatures=(signature,))

    with pytest.raises(FailedCheck, match=r"^signature: "):
        envelope.check_signature(key.public)


def test_base64_for_addresses_is_read_too(key: PrivateKey) -> None:
    fields = seal(b"\xfb\xff\xfe>>>???", key).to_json()
    fields["payload"] = base64.urlsafe_b64encode(b"\xfb\xff\xfe>>>???").decode()

    Envelope.from_json(fields).check_signature(key.public)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"payload": None}, "dsseEnvelope.payload"),
        ({"payload": "%"}, "dsseEnvelope.payload"),
        ({"payload": "e30"}, "dsseEnvelope.payload"),
        ({"payload": ["e30="]}, "dsseEnvelope.payload"),
        ({"payloadType": 7}, "dsseEnvelope.payloadType"),
        ({"signatures": None}, "dsseEnvelope.signatures"),
        ({"signatures": []}, "dsseEnvelope.signatures"),
        ({"signatures": [{"sig": "AAAA"}] * 17}, "dsseEnvelope.signatures"),
        ({"signatures": ["AAAA"]}, "dsseEnvelope.signatures"),
        ({"signatures": [{}]}, "dsseEnvelope.signatures.sig"),
        ({"signatures": [{"sig": "é"}]}, "dsseEnvelope.signatures.sig"),
    ],
)
def test_a_malformed_envelope_is_refused_with_its_place(change: dict[str, Any], check: str) -> None:
    fields = {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": "AAAA"}]}

    with pytest.raises(FailedCheck) as refused:
        Envelope.from_json(fields | change)

    assert refused.value.check == check
    with pytest.raises(FailedCheck, match="is not an object"):
        Envelope.from_json([])
