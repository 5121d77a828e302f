"""Keys that never leave a key management service; signed with through securesystemslib.

The URIs are those of cosign. securesystemslib in turn uses each service's own client, which takes
its credentials from where it always does.
"""

from __future__ import annotations

from dataclasses import field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitline.errors import UnusableKey
from kitline.frozen import dataclass
from kitline.trust.key_files import read_public_key
from kitline.trust.keys import public_key

if TYPE_CHECKING:
    from kitline.trust.keys import PublicKey

_EXTRAS = {"awskms": "awskms", "gcpkms": "gcpkms", "azurekms": "azurekms", "hashivault": "vault"}
_SCHEMES = ("ecdsa-sha2-nistp256", "ed25519")


@dataclass(frozen=True, kw_only=True)
class KmsSigner:
    """Signs with a key of a service; a `Signer`."""

    public: PublicKey
    client: Any = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        try:
            return bytes.fromhex(self.client.sign(data).signature)
        except Exception as cause:  # each service's client has errors of its own
            raise UnusableKey(f"cannot sign with key {self.public.name!r}: {cause}") from cause


def load_kms_signer(uri: str) -> KmsSigner:
    """Ask a service for a key, by a URI such as `awskms:///alias/kits`.

    Raises:
        UnusableKey: if the library is missing, or the service gives no key that fits.
    """
    scheme, _, name = uri.partition("://")
    try:
        from securesystemslib.exceptions import UnsupportedLibraryError
    except ImportError as cause:
        raise _missing(uri, scheme) from cause
    try:
        client = _open(scheme, name)
        found = client.public_key
    except UnsupportedLibraryError as cause:
        raise _missing(uri, scheme) from cause
    except Exception as cause:  # each service's client has errors of its own
        raise UnusableKey(f"cannot use key {uri!r}: {cause}") from cause
    if found.scheme not in _SCHEMES:
        raise UnusableKey(
            f"cannot use key {uri!r}: it is for {found.scheme}; kitline and cosign share"
            f" {' and '.join(_SCHEMES)}"
        )
    return KmsSigner(public=_public(found, uri), client=client)


def _open(scheme: str, name: str) -> Any:
    """Return securesystemslib's signer of a key."""
    signer: Any = import_module("securesystemslib.signer")
    if scheme == "awskms":
        name = name.partition("/")[2]
        uri, key = signer.AWSSigner.import_(name)
        return signer.AWSSigner.from_priv_key_uri(uri, key)
    if scheme == "gcpkms":
        uri, key = signer.GCPSigner.import_(name.replace("/versions/", "/cryptoKeyVersions/"))
        return signer.GCPSigner.from_priv_key_uri(uri, key)
    if scheme == "azurekms":
        vault, _, name = name.partition("/")
        uri, key = signer.AzureSigner.import_(vault.partition(".")[0], name)
        return signer.AzureSigner.from_priv_key_uri(uri, key)
    uri, key = signer.VaultSigner.import_(name)
    return signer.VaultSigner.from_priv_key_uri(uri, key)


def _public(key: Any, uri: str) -> PublicKey:
    """Read securesystemslib's public key: PEM, or the bare bytes of Ed25519 as hex."""
    value = str(key.keyval["public"])
    if value.startswith("-----"):
        return read_public_key(value.encode(), uri)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return public_key(Ed25519PublicKey.from_public_bytes(bytes.fromhex(value)), uri)


def _missing(uri: str, scheme: str) -> UnusableKey:
    return UnusableKey(
        f"key {uri!r} takes the securesystemslib package with the client of that service:"
        f" pip install 'kitline[kms]' 'securesystemslib[{_EXTRAS[scheme]}]'"
    )
