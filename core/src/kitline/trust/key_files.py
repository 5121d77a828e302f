"""Keys as PEM: cosign's encrypted private keys, PKCS 8 and SEC 1, and public keys.

A password is asked for only when a key turns out to be encrypted.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from kitline.errors import UnusableKey
from kitline.trust import encrypted_key
from kitline.trust.keys import private_key, public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.trust.keys import PrivateKey, PublicKey

SIZE_LIMIT = 64 << 10
"""The largest key file that is read, in bytes."""
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\s*([A-Za-z0-9+/=\s]*?)\s*-----END \1-----")
_PRIVATE = ("PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", *encrypted_key.LABELS)


def read_private_key(pem: bytes, name: str, password: Callable[[], bytes]) -> PrivateKey:
    """Read a private key; `password` is called if it is encrypted.

    Raises:
        UnusableKey: if it is none, of another kind, or the password is wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )

    label, body = _open_pem(pem, name)
    if label not in _PRIVATE:
        raise UnusableKey(
            f"cannot sign with {name!r}: it holds {_article(label)}, not a private key"
        )
    try:
        if label in encrypted_key.LABELS:
            der = encrypted_key.decrypt(body, password(), name)
            return private_key(load_der_private_key(der, None), name)
        is_encrypted = label.startswith("ENCRYPTED") or b"ENCRYPTED" in pem
        secret = password() if is_encrypted else None
        return private_key(load_pem_private_key(pem, secret or None), name)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise UnusableKey(
            f"cannot read private key {name!r}: it is damaged, or the password is wrong"
        ) from cause


def read_public_key(pem: bytes, name: str) -> PublicKey:
    """Read a public key.

    Raises:
        UnusableKey: if it is none, or of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    label, _ = _open_pem(pem, name)
    if label != "PUBLIC KEY":
        hint = "; name the public key, such as cosign.pub" if label in _PRIVATE else ""
        raise UnusableKey(
            f"cannot verify with {name!r}: it holds {_article(label)}, not a public key{hint}"
        )
    try:
        return public_key(load_pem_public_key(pem), name)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise UnusableKey(f"cannot read public key {name!r}: it is damaged") from cause


def write_pem(label: str, body: bytes) -> bytes:
    """Return a PEM block, 64 characters a line."""
    text = base64.b64encode(body).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _open_pem(pem: bytes, name: str) -> tuple[str, bytes]:
    """Return the label and the content of the one PEM block."""
    if len(pem) > SIZE_LIMIT:
        raise UnusableKey(f"cannot read key {name!r}: {len(pem)} bytes are too many for a key")
    found = re.search(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----", pem)
    if found is None:
        raise UnusableKey(f"cannot read key {name!r}: it is not PEM ('-----BEGIN …')")
    label, whole = found[1].decode(), _PEM.search(pem)
    try:
        return label, base64.b64decode(b"".join(whole[2].split()) if whole else b"", validate=True)
    except binascii.Error as cause:
        raise UnusableKey(f"cannot read key {name!r}: it is not base64") from cause


def _article(label: str) -> str:
    word = label.lower()
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
