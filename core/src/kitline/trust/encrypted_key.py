"""Private keys as cosign encrypts them: scrypt makes a key of the password, secretbox encrypts.

The PEM holds JSON that names salt, nonce and cost. A file with other algorithms, or with a cost
that no honest program asks for, is refused before any work is done.
Source: secure-systems-lab/go-securesystemslib, `encrypted/encrypted.go`, as cosign 3.1 uses it.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Any

from kitline.errors import UnusableKey
from kitline.oci.json import decode, encode

if TYPE_CHECKING:
    from nacl.secret import SecretBox

LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
LABELS = (LABEL, "ENCRYPTED COSIGN PRIVATE KEY")
"""PEM labels; the second one is that of cosign 1."""
COST, BLOCK, PARALLEL = 65536, 8, 1
"""What cosign asks of scrypt: N, r, p; about 64 MiB and 0.2 s."""
MEMORY_LIMIT = 512 << 20
"""The most memory that a key file may ask for, in bytes."""
WORK_LIMIT = 1 << 24
"""The most rounds (N x r x p) that a key file may ask for."""


def decrypt(body: bytes, password: bytes, name: str) -> bytes:
    """Return the private key (PKCS 8, DER) out of the PEM's decoded `body`.

    Raises:
        UnusableKey: if the file is malformed or the password is wrong.
    """
    try:
        fields = decode(body, limit=64 << 10)
        kdf, params, cipher = fields["kdf"], fields["kdf"]["params"], fields["cipher"]
        algorithms = kdf["name"], cipher["name"]
        cost, block, parallel = (_number(params[each]) for each in ("N", "r", "p"))
        salt, nonce, ciphertext = (
            base64.b64decode(text, validate=True)
            for text in (kdf["salt"], cipher["nonce"], fields["ciphertext"])
        )
    except (ValueError, KeyError, TypeError, binascii.Error) as cause:
        raise UnusableKey(f"cannot read key {name!r}: its encryption is malformed") from cause
    if algorithms != ("scrypt", "nacl/secretbox"):
        raise UnusableKey(
            f"cannot read key {name!r}: it is encrypted with {' and '.join(map(repr, algorithms))},"
            " not with scrypt and nacl/secretbox as cosign does"
        )
    if 128 * cost * block > MEMORY_LIMIT or cost * block * parallel > WORK_LIMIT:
        raise UnusableKey(f"cannot read key {name!r}: its scrypt parameters ask for too much")
    box = _box(_derive(password, salt, cost, block, parallel, name), name)
    from nacl.exceptions import CryptoError

    try:
        return box.decrypt(ciphertext, nonce)
    except (CryptoError, ValueError) as cause:
        raise UnusableKey(f"cannot decrypt key {name!r}: the password is wrong") from cause


def encrypt(key: bytes, password: bytes, name: str) -> bytes:
    """Return the body of a PEM that holds `key` as cosign encrypts it."""
    salt, nonce = os.urandom(32), os.urandom(24)
    box = _box(_derive(password, salt, COST, BLOCK, PARALLEL, name), name)
    fields = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": COST, "r": BLOCK, "p": PARALLEL},
            "salt": _text(salt),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(box.encrypt(key, nonce).ciphertext),
    }
    return encode(fields)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("not a positive number")
    return value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _derive(password: bytes, salt: bytes, cost: int, block: int, parallel: int, name: str) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    try:
        return Scrypt(salt=salt, length=32, n=cost, r=block, p=parallel).derive(password)
    except (ValueError, MemoryError) as cause:
        raise UnusableKey(f"cannot read key {name!r}: scrypt cannot work with it") from cause


def _box(key: bytes, name: str) -> SecretBox:
    try:
        from nacl.secret import SecretBox
    except ImportError as cause:
        raise UnusableKey(
            f"key {name!r} is encrypted as cosign does, which takes PyNaCl:"
            " pip install 'kitline[signing]'"
        ) from cause
    return SecretBox(key)
