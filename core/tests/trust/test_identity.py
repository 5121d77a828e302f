"""Identities instead of keys: what the sigstore package has to refuse, without its public instance.

What it accepts was signed by a public instance, and no test here reaches one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from kitline.errors import FailedCheck, UnusableKey
from kitline.trust.authority import IdentityAuthority
from kitline.trust.bundle import Bundle, bundle_bytes
from kitline.trust.dsse import seal
from kitline.trust.keys import private_key

sigstore = pytest.importorskip("sigstore", reason="the extra kitline[sigstore] is not installed")
pytestmark = pytest.mark.slow  # sigstore takes seconds to load


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A bundle that was signed with a key."""
    key = private_key(ec.generate_private_key(ec.SECP256R1()), "k")
    return Bundle.from_bytes(bundle_bytes(seal(b"{}", key), key.public.hint))


@pytest.fixture(scope="module")
def root() -> Path:
    """The roots of the public instance as the package brings them along."""
    [found] = Path(sigstore.__file__).parent.glob("_store/*sigstore.dev/trusted_root.json")
    return found


def authority(root: Path) -> IdentityAuthority:
    return IdentityAuthority(
        identity="dev@example.com", issuer="https://accounts.example.com", trusted_root=root
    )


def test_a_bundle_that_was_signed_with_a_key_is_by_no_identity(bundle: Bundle, root: Path) -> None:
    with pytest.raises(FailedCheck) as refused:
        authority(root).check_bundle(bundle)

    assert refused.value.check == "signature"
    assert "is not by identity 'dev@example.com' of 'https://accounts.example.com': " in str(
        refused.value
    )


def test_identities_are_not_looked_for_in_tags(bundle: Bundle, root: Path) -> None:
    with pytest.raises(FailedCheck, match="identities are verified in bundles only"):
        authority(root).check_envelope(bundle.envelope)
    with pytest.raises(FailedCheck, match="identities are verified in bundles only"):
        authority(root).check_payload(b"", b"")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mediaType": "x"}'])
def test_a_broken_trusted_root_is_refused(text: str, bundle: Bundle, tmp_path: Path) -> None:
    root = tmp_path / "root.json"
    root.write_text(text)

    with pytest.raises(UnusableKey, match="cannot read the trusted root of sigstore"):
        authority(root).check_bundle(bundle)
