"""Authorities: who has to have signed. A key, or an identity that a public log vouches for."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from kitline.errors import FailedCheck, UnusableKey
from kitline.frozen import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.trust.bundle import Bundle
    from kitline.trust.dsse import Envelope
    from kitline.trust.keys import PublicKey


class Authority(Protocol):
    """Tells whether something was signed by whom we trust."""

    @property
    def name(self) -> str:
        """What messages call it: `key 'cosign.pub'`."""

    def check_bundle(self, bundle: Bundle) -> None:
        """Refuse a bundle that it did not sign. Raises FailedCheck."""

    def check_envelope(self, envelope: Envelope) -> None:
        """Refuse a bare envelope that it did not sign. Raises FailedCheck."""

    def check_payload(self, payload: bytes, signature: bytes) -> None:
        """Refuse plain bytes that it did not sign. Raises FailedCheck."""


@dataclass(frozen=True, kw_only=True)
class KeyAuthority:
    """Whoever holds the private half of a key."""

    key: PublicKey

    @property
    def name(self) -> str:
        return f"key {self.key.name!r}"

    def check_bundle(self, bundle: Bundle) -> None:
        if len(bundle.envelope.signatures) != 1:  # cosign refuses it as well
            raise FailedCheck("signature", "a bundle holds exactly one")
        bundle.envelope.check_signature(self.key)

    def check_envelope(self, envelope: Envelope) -> None:
        envelope.check_signature(self.key)

    def check_payload(self, payload: bytes, signature: bytes) -> None:
        if not self.key.is_signed(payload, signature):
            raise FailedCheck("signature", f"was not made with key {self.key.name!r}")


@dataclass(frozen=True, kw_only=True)
class IdentityAuthority:
    """An identity that signed without a key of its own (keyless), by the `sigstore` package.

    `identity` is the e-mail address or workflow in the certificate, `issuer` who vouched for it.
    Without `trusted_root` the roots of the public instance are used, which `sigstore` gets by
    itself.
    """

    identity: str
    issuer: str
    trusted_root: Path | None = field(default=None)

    @property
    def name(self) -> str:
        return f"identity {self.identity!r} of {self.issuer!r}"

    def check_bundle(self, bundle: Bundle) -> None:
        try:
            from sigstore.errors import Error
            from sigstore.models import Bundle as SigstoreBundle
            from sigstore.models import TrustedRoot
            from sigstore.verify import Verifier
            from sigstore.verify.policy import Identity
        except ImportError as cause:
            raise UnusableKey(
                "verifying an identity takes the sigstore package: pip install 'kitline[sigstore]'"
            ) from cause
        try:
            if self.trusted_root is None:
                verifier = Verifier.production()
            else:
                root = TrustedRoot.from_file(str(self.trusted_root))
                verifier = Verifier(trusted_root=root)
        except Exception as cause:  # whatever reading files or fetching roots may raise
            raise UnusableKey(f"cannot read the trusted root of sigstore: {cause}") from cause
        policy = Identity(identity=self.identity, issuer=self.issuer)
        try:
            found = SigstoreBundle.from_json(bundle.raw)
            payload_type, payload = verifier.verify_dsse(found, policy)
        except (Error, ValueError) as cause:
            raise FailedCheck("signature", f"is not by {self.name}: {cause}") from cause
        if (payload_type, payload) != (bundle.envelope.payload_type, bundle.envelope.payload):
            raise FailedCheck("signature", "covers another payload than that of the envelope")

    def check_envelope(self, envelope: Envelope) -> None:
        raise FailedCheck("signature", "identities are verified in bundles only, not in tags")

    def check_payload(self, payload: bytes, signature: bytes) -> None:
        raise FailedCheck("signature", "identities are verified in bundles only, not in tags")
