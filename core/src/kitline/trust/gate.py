"""Gates: what a `[policy]` table demands of a kit before it is used, as frozen values.

Several gates are never merged: a kit has to pass all of them, so that adding one can only tighten.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.digest import Digest
    from kitline.trust.authority import Authority

SENSITIVITIES = ("public", "internal", "confidential", "restricted")
"""Levels of sensitivity, rising; what is none of them counts as the highest."""


@dataclass(frozen=True, kw_only=True)
class Voucher:
    """Somebody whose word a policy takes: the holder of a key, or an identity (keyless)."""

    key: str | None = None
    """A PEM file, a PEM text or a KMS URI."""
    identity: str = ""
    issuer: str = ""
    trusted_root: Path | None = None

    def authority(self) -> Authority:
        """Return what checks their signatures.

        Raises:
            UnusableKey: if the key cannot be read.
        """
        from kitline.trust.authority import IdentityAuthority, KeyAuthority
        from kitline.trust.key_files import read_public_key
        from kitline.trust.key_source import load_public_key

        if self.key is None:
            return IdentityAuthority(
                identity=self.identity, issuer=self.issuer, trusted_root=self.trusted_root
            )
        if self.key.lstrip().startswith("-----BEGIN "):
            return KeyAuthority(key=read_public_key(self.key.encode(), "in the policy"))
        return KeyAuthority(key=load_public_key(self.key))


@dataclass(frozen=True, kw_only=True)
class Demand:
    """An attestation of one type that somebody has to have signed."""

    predicate_type: str
    vouchers: tuple[Voucher, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is demanded of the kits of some repositories."""

    repositories: tuple[str, ...] = ("**",)
    """Patterns: `*` stands for anything within a component, `**` for anything."""
    is_listed: bool = False
    """Whether it stands in `[[policy.rules]]` and not in `[policy]` itself."""
    pinned: bool = False
    vouchers: tuple[Voucher, ...] = ()
    """One of them has to have signed the kit; none asks for no signature."""
    attestations: tuple[Demand, ...] = ()
    forbidden_formats: tuple[str, ...] = ()
    max_sensitivity: str | None = None
    promoters: tuple[Voucher, ...] = ()
    """Who has to have signed the promotion, where a kit is asked for by a stage's tag."""
    stages: tuple[str, ...] | None = None
    """Tags that are stages in any case; None: those with a record of a promotion."""

    def covers(self, name: str) -> bool:
        """Tell whether the rule is about a repository; `name` is as `comparable_name` writes it."""
        return any(_pattern(each).fullmatch(name) for each in self.repositories)


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """Which kits must not be used any more, nor what was made from them."""

    vouchers: tuple[Voucher, ...] = ()
    kits: tuple[Digest, ...] = ()
    """Revoked by the policy itself."""
    also_in: tuple[str, ...] = ()
    """Repositories that hold revocations of kits that lie elsewhere."""
    allow_unreachable: bool = False
    """Whether a kit may be used though a parent, or what is said of it, cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Whose word on sensitivity counts."""

    vouchers: tuple[Voucher, ...] = ()
    required: bool = False
    """Whether a kit has to be classified itself, or inherit a class from a parent."""
    allow_unreachable: bool = False


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One policy."""

    origin: str
    """Where it was read, for messages: `file /etc/kitline/config.toml`."""
    rules: tuple[Rule, ...] = ()
    listed_only: bool = False
    """Whether repositories that no `[[policy.rules]]` names are refused."""
    revocation: Revocation | None = None
    classification: Classification | None = None


def comparable_name(name: str) -> str:
    """Return a repository's name so that other spellings of its registry are the same."""
    host, slash, rest = name.partition("/")
    return f"{host.lower().removesuffix(':443')}{slash}{rest}"


def sensitivity_rank(level: str) -> int:
    """Return how sensitive a level is; an unknown one is as sensitive as the highest."""
    return SENSITIVITIES.index(level) if level in SENSITIVITIES else len(SENSITIVITIES) - 1


@cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", text)
    words = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(words.get(each) or re.escape(each) for each in parts), re.DOTALL)
