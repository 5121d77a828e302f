"""DSSE: an envelope of signed bytes with their type.

What is signed is the pre-authentication encoding (PAE) of type and payload, never the payload
alone, so that a signature cannot be taken for one of another protocol.
Source: secure-systems-lab/dsse, protocol.md and envelope.md.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.errors import FailedCheck
from kitline.frozen import dataclass
from kitline.trust.keys import sign_checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.trust.keys import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The payload type of in-toto Statements; no other is believed."""
SIGNATURES_LIMIT = 16
"""The most signatures in one envelope that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A payload, its type and signatures; nothing of it is verified yet."""

    payload: bytes = field(repr=False)
    payload_type: str
    signatures: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_json(cls, fields: object, where: str = "dsseEnvelope") -> Envelope:
        """Read an envelope from parsed JSON; `where` is its place in the document."""
        if not isinstance(fields, dict):
            raise FailedCheck(where, "is not an object")
        found = fields.get("signatures")
        if not isinstance(found, list) or not 0 < len(found) <= SIGNATURES_LIMIT:
            raise FailedCheck(f"{where}.signatures", f"is not a list of 1-{SIGNATURES_LIMIT}")
        payload_type = fields.get("payloadType")
        if not isinstance(payload_type, str):
            raise FailedCheck(f"{where}.payloadType", "is not a text")
        return cls(
            payload=read_base64(fields.get("payload"), f"{where}.payload"),
            payload_type=payload_type,
            signatures=tuple(_signature(each, f"{where}.signatures") for each in found),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the envelope as cosign writes it; without `keyid`, which cosign refuses."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"sig": base64.b64encode(each).decode()} for each in self.signatures],
        }

    def check_type(self) -> None:
        """Refuse any payload but an in-toto Statement."""
        if self.payload_type != PAYLOAD_TYPE:
            raise FailedCheck("payloadType", f"is {self.payload_type!r}, not {PAYLOAD_TYPE!r}")

    def check_signature(self, key: PublicKey) -> None:
        """Refuse an envelope that was not signed with `key`."""
        signed = pae(self.payload_type, self.payload)
        if not any(key.is_signed(signed, each) for each in self.signatures):
            raise FailedCheck("signature", f"was not made with key {key.name!r}")


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: type and payload, each with its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, signer: Signer) -> Envelope:
    """Return an envelope of an in-toto Statement, signed once."""
    return Envelope(
        payload=payload,
        payload_type=PAYLOAD_TYPE,
        signatures=(sign_checked(signer, pae(PAYLOAD_TYPE, payload)),),
    )


def read_base64(text: object, where: str) -> bytes:
    """Read base64, standard or URL-safe, as DSSE allows both."""
    if not isinstance(text, str):
        raise FailedCheck(where, "is not a text")
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as cause:
        raise FailedCheck(where, "is not base64") from cause


def _signature(fields: Mapping[str, Any] | object, where: str) -> bytes:
    if not isinstance(fields, dict):
        raise FailedCheck(where, "holds something else than objects")
    return read_base64(fields.get("sig"), f"{where}.sig")
