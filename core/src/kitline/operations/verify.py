"""Verify, and list attestations: what is said of a kit, and whether it can be believed."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import NotSigned, UsageError
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.operations.defaults import settings_or_default
from kitline.operations.inspect import read_by_reference
from kitline.operations.policy.gate import check_found
from kitline.operations.stores import Found, Stores, find_manifest, read_reference
from kitline.trust import predicate_types
from kitline.trust.authority import Authority, IdentityAuthority, KeyAuthority
from kitline.trust.key_source import load_public_key
from kitline.trust.verify import examine, verify_attestations, verify_signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.statements import AttachedStatement
    from kitline.operations.stores import AnyReference
    from kitline.trust.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A kit whose signature and attestations passed all checks."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    signed_by: str | None
    """Whom it was verified with; None if only policies were asked."""
    signature: Evidence | None
    """None if no signature was asked for."""
    attestations: tuple[Evidence, ...] = ()
    policies: tuple[str, ...] = ()
    """The policies that allow it to be used, by where they were read."""
    by_reference: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Layers that only list their data, by path, and what that is checked with, such as `md5`."""

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "verifiedWith": self.signed_by,
            "signature": None if self.signature is None else self.signature.to_json(),
            "attestations": [each.to_json() for each in self.attestations],
            "policies": list(self.policies),
            "byReference": dict(self.by_reference),
        }


def verify(
    reference: str | AnyReference,
    *,
    key: str | None = None,
    identity: str | None = None,
    issuer: str | None = None,
    trusted_root: str | Path | None = None,
    attestations: Sequence[str] = (),
    signature: bool = True,
    policy: str | Path | None = None,
    settings: Settings | None = None,
) -> Verified:
    """Verify that a kit is signed, with a public key or by an identity (keyless), or by policy.

    Each type in `attestations` has to be attested to as well, by the same authority. A kit that has
    only attestations is not signed; with `signature=False` that is not asked. Policies are always
    asked too: that of the file `policy` and those in force; then nothing else has to be named.

    Raises:
        NotSigned: if a signature or attestation is missing or fails a check, which is named.
        PolicyError: if a policy does not allow it to be used.
        UnusableKey: if the key cannot be read.
        NotFound: if there is no such kit.
    """
    kinds = [predicate_types.predicate_type(each) for each in attestations]
    if not signature and not kinds:
        raise UsageError("nothing to verify: neither a signature nor an attestation is asked for")
    settings = settings_or_default(settings)
    if policy is not None:
        settings = settings.with_policy(Path(policy))
    named = key or identity or issuer or kinds or not settings.policy.gates
    authority = read_authority(key, identity, issuer, trusted_root) if named else None
    asked = read_reference(reference)
    with Stores(settings) as stores:
        held = stores.find(asked)
        check_found(held, stores, use="verify")
        policies = tuple(each.origin for each in settings.policy.gates)
        elsewhere = read_by_reference(held.manifest.annotations.get(media_types.BY_REFERENCE, ""))
        if authority is None:
            return Verified(
                reference=held.reference,
                digest=held.manifest.digest,
                signed_by=None,
                signature=None,
                policies=policies,
                by_reference=elsewhere,
            )
        try:
            verified = _verify(held, authority, kinds, signature=signature)
        except NotSigned:
            # a pulled copy may lack what was attached since
            store = stores.open(asked)
            if store is held.store:
                raise
            manifest = find_manifest(store, asked)
            found = Found(store=store, manifest=manifest, reference=held.reference, asked=asked)
            verified = _verify(found, authority, kinds, signature=signature)
        return replace(verified, policies=policies, by_reference=elsewhere)


def read_authority(
    key: str | None,
    identity: str | None = None,
    issuer: str | None = None,
    trusted_root: str | Path | None = None,
) -> Authority:
    """Return who has to have signed: the holder of a key, or an identity.

    Raises:
        UsageError: if neither or both are named.
        UnusableKey: if the key cannot be read.
    """
    if key is not None and (identity or issuer):
        raise UsageError("name a key or an identity to verify with, not both")
    if key is not None:
        return KeyAuthority(key=load_public_key(key))
    if not identity or not issuer:
        raise UsageError(
            "nothing to verify with: name a public key, a certificate's identity and its issuer, or"
            " a policy"
        )
    root = Path(trusted_root) if trusted_root is not None else None
    return IdentityAuthority(identity=identity, issuer=issuer, trusted_root=root)


def _verify(
    found: Found, authority: Authority, kinds: Sequence[str], *, signature: bool
) -> Verified:
    store, digest = found.store, found.manifest.digest
    return Verified(
        reference=found.reference,
        digest=digest,
        signed_by=authority.name,
        signature=verify_signature(store, digest, authority) if signature else None,
        attestations=tuple(
            each for kind in kinds for each in verify_attestations(store, digest, authority, kind)
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Attestations:
    """Everything that is said of a kit, signed or not."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    signed: tuple[Evidence, ...]
    """Signatures included; each says whom it was verified with, if a key was given."""
    unsigned: tuple[AttachedStatement, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "attestations": [
                *({**each.to_json(), "signed": True} for each in self.signed),
                *(
                    {**each.to_json(), "form": "statement", "verifiedWith": None}
                    for each in self.unsigned
                ),
            ],
            "warnings": list(self.warnings),
        }


def list_attestations(
    reference: str | AnyReference,
    predicate_type: str | None = None,
    *,
    key: str | None = None,
    settings: Settings | None = None,
) -> Attestations:
    """Return what is said of a kit; with a public `key` only what its owner signed.

    Without a key nothing is verified but form and subject: whoever may write to the repository may
    have written it.
    """
    from kitline.operations.statements import find_statements

    kind = None if predicate_type is None else predicate_types.predicate_type(predicate_type)
    authority = None if key is None else read_authority(key)
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        digest = find_manifest(store, asked).digest
        found = examine(store, digest, authority)
        statements, warnings = ([], []) if key else find_statements(store, digest, kind)
        return Attestations(
            reference=store.pin(digest),
            digest=digest,
            signed=tuple(each for each in found.passed if kind in (None, each.predicate_type)),
            unsigned=tuple(statements),
            warnings=(*(f"left out: {each}" for each in found.failures), *warnings),
        )
