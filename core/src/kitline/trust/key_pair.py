"""New key pairs, as `cosign generate-key-pair` makes them: ECDSA P-256, the private key encrypted.

Neither file is ever overwritten, and only the owner can read the private key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.errors import TargetError
from kitline.frozen import dataclass
from kitline.trust import encrypted_key
from kitline.trust.key_files import write_pem
from kitline.trust.keys import PrivateKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """Two files: one to keep, one to hand out."""

    private: Path
    public: Path
    hint: str
    """What bundles call the key."""


def make_key_pair(folder: Path, prefix: str, password: Callable[[str], bytes]) -> KeyPair:
    """Write `PREFIX.key` and `PREFIX.pub` into `folder`; `password` is asked with the key's name.

    Raises:
        TargetError: if one of them is there already, or cannot be written.
        UnusableKey: if PyNaCl is not installed.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private, public = folder / f"{prefix}.key", folder / f"{prefix}.pub"
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise TargetError(f"cannot make a key: {str(path)!r} is there already; name another")
    key = PrivateKey(key=generate_private_key(SECP256R1()), name=str(private))
    der = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    body = encrypted_key.encrypt(der, password(str(private)), str(private))
    _write(private, write_pem(encrypted_key.LABEL, body), 0o600)
    _write(public, key.public.pem, 0o644)
    return KeyPair(private=private, public=public, hint=key.public.hint)


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as cause:
        raise TargetError(f"cannot write key {str(path)!r}: {cause.strerror}") from cause
