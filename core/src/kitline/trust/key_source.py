"""Where keys come from: a file, `env://VARIABLE`, or a key management service by its URI.

Passwords come from the environment, else from whoever is asked; never from an argument that other
users of the machine could read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import UnusableKey
from kitline.trust.key_files import SIZE_LIMIT, read_private_key, read_public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.trust.keys import PublicKey, Signer

ENVIRONMENT = "env://"
PASSWORD_VARIABLES = ("KITLINE_KEY_PASSWORD", "COSIGN_PASSWORD")
"""Where a key's password is looked for; the first that is set holds, even if it is empty."""
KMS_SCHEMES = ("awskms://", "gcpkms://", "azurekms://", "hashivault://")


def load_signer(source: str, *, ask: Callable[[str], str] | None = None) -> Signer:
    """Load a private key; `ask` is called with a prompt if it needs a password nobody set.

    Raises:
        UnusableKey: if there is none, or it cannot be used.
    """
    if source.startswith(KMS_SCHEMES):
        from kitline.trust.kms import load_kms_signer

        return load_kms_signer(source)
    return read_private_key(_read(source), source, lambda: find_password(source, ask))


def load_public_key(source: str) -> PublicKey:
    """Load a public key.

    Raises:
        UnusableKey: if there is none, or it cannot be used.
    """
    if source.startswith(KMS_SCHEMES):
        from kitline.trust.kms import load_kms_signer

        return load_kms_signer(source).public
    return read_public_key(_read(source), source)


def find_password(source: str, ask: Callable[[str], str] | None) -> bytes:
    """Return a key's password from the environment, else by asking.

    Raises:
        UnusableKey: if none is set and nobody can be asked.
    """
    for name in PASSWORD_VARIABLES:
        if name in os.environ:
            return os.environ[name].encode()
    if ask is None:
        raise UnusableKey(
            f"there is nobody to ask for the password of key {source!r}; set"
            f" {' or '.join(PASSWORD_VARIABLES)}"
        )
    return ask(f"Password of {source}").encode()


def _read(source: str) -> bytes:
    if source.startswith(ENVIRONMENT):
        variable = source.removeprefix(ENVIRONMENT)
        found = os.environ.get(variable)
        if found is None:
            raise UnusableKey(f"cannot read key {source!r}: {variable!r} is not set")
        return found.encode()
    if "://" in source:
        scheme = source.partition("://")[0]
        raise UnusableKey(
            f"cannot read key {source!r}: nothing reads {scheme!r}; keys are files, {ENVIRONMENT}"
            f"VARIABLE, or URIs that begin with {', '.join(KMS_SCHEMES)}"
        )
    try:
        with Path(source).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as cause:
        raise UnusableKey(f"cannot read key {source!r}: {cause.strerror}") from cause
