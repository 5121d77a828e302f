"""Keys: what signs and what verifies, as two small protocols and their kinds.

ECDSA over P-256 or P-384 with SHA-256, and Ed25519: what cosign 3.1 accepts of keys that people
manage themselves. ECDSA is deterministic (RFC 6979) where the library can, so that signing the
same again gives the same bytes. `cryptography` is loaded when the first key is read.
"""

from __future__ import annotations

import base64
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from kitline.errors import UnusableKey
from kitline.frozen import dataclass
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

CURVES = ("secp256r1", "secp384r1")
"""Curves whose keys are taken, in the names of SEC 2."""


class Signer(Protocol):
    """Signs bytes with a private key, wherever that lies."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature of `data`: DER of an ECDSA signature, or 64 bytes of Ed25519."""


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """Verifies signatures; `name` is what messages call it."""

    key: EllipticCurvePublicKey | Ed25519PublicKey = field(repr=False)
    name: str

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Tell whether this key's owner signed exactly these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, data)
            else:
                self.key.verify(signature, data, _ecdsa(deterministic=False))
        except InvalidSignature:
            return False
        return True

    @property
    def der(self) -> bytes:
        """The key as DER (SubjectPublicKeyInfo)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        """The key as PEM, as `cosign.pub` holds it."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def hint(self) -> str:
        """What a bundle calls the key: base64 of the sha256 of its DER."""
        return base64.b64encode(bytes.fromhex(Digest.of(self.der).hex)).decode()


@dataclass(frozen=True, kw_only=True)
class PrivateKey:
    """Signs with a key in memory; a `Signer`."""

    key: EllipticCurvePrivateKey | Ed25519PrivateKey = field(repr=False)
    name: str

    @property
    def public(self) -> PublicKey:
        return PublicKey(key=self.key.public_key(), name=self.name)

    def sign(self, data: bytes) -> bytes:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(data)
        try:
            return self.key.sign(data, _ecdsa(deterministic=True))
        except UnsupportedAlgorithm:  # OpenSSL older than 3.2
            return self.key.sign(data, _ecdsa(deterministic=False))


def sign_checked(signer: Signer, data: bytes) -> bytes:
    """Return a signature of `data` that verifies, whoever made it.

    Raises:
        UnusableKey: if it does not: a service may sign something else than it was asked to.
    """
    signature = signer.sign(data)
    if not signer.public.is_signed(data, signature):
        raise UnusableKey(
            f"cannot sign with key {signer.public.name!r}: what it signs does not verify with its"
            " public key; nothing was attached"
        )
    return signature


def public_key(key: object, name: str) -> PublicKey:
    """Take a public key of `cryptography`.

    Raises:
        UnusableKey: if it is of a kind that kitline and cosign do not share.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in CURVES:
        return PublicKey(key=key, name=name)
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(key=key, name=name)
    raise _unusable(key, name)


def private_key(key: object, name: str) -> PrivateKey:
    """Take a private key of `cryptography`.

    Raises:
        UnusableKey: if it is of a kind that kitline and cosign do not share.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return PrivateKey(key=key, name=name)
    if isinstance(key, Ed25519PrivateKey):
        return PrivateKey(key=key, name=name)
    raise _unusable(key, name)


def _unusable(key: object, name: str) -> UnusableKey:
    curve = getattr(getattr(key, "curve", None), "name", "")
    kind = f"ECDSA over {curve}" if curve else type(key).__name__.strip("_")
    return UnusableKey(
        f"cannot use key {name!r}: it is {kind}; use ECDSA over P-256 ('kitline keygen' and"
        " 'cosign generate-key-pair' make one) or Ed25519"
    )


def _ecdsa(*, deterministic: bool) -> ECDSA:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256(), deterministic_signing=deterministic)
