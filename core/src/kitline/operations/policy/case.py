"""A case: one kit before the gates, with everything that is said of it read once.

What helps a kit (signatures, attestations) may lie in any place where the kit was found, since it
is bound to the digest. What counts against it (revocations, classes) is looked for in all of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.operations.policy.ancestors import Family, find_family
from kitline.operations.policy.formats import forbidden_in, kits_below
from kitline.operations.policy.places import Place, Places
from kitline.operations.stores import read_reference
from kitline.trust import predicate_types
from kitline.trust.gate import comparable_name, sensitivity_rank
from kitline.trust.verify import examine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.claimed import ClaimedPlaces
    from kitline.operations.stores import AnyReference, Stores
    from kitline.store.interface import Store
    from kitline.trust.evidence import Evidence
    from kitline.trust.gate import Classification, Gate, Revocation, Rule, Voucher

_SHOWN = 200
"""Most characters of a text from outside that a message shows."""
_UNASKED = "the place that its name stands for may not be asked"


class Case:
    """What the gates judge."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        reference: AnyReference,
        stores: Stores,
        claimed: ClaimedPlaces,
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._reference = reference
        self._stores = stores
        self._claimed = claimed
        self._all = Places()

    def judge(self, gate: Gate) -> Iterator[str]:
        """Yield a sentence for everything that a gate finds wrong."""
        name = comparable_name(self._reference.name)
        covering = [rule for rule in gate.rules if rule.covers(name)]
        if gate.listed_only and not any(rule.is_listed for rule in covering):
            yield f"no rule names repository {self._reference.name!r}, and only those may be used"
        for rule in covering:
            yield from self._judge_rule(rule)
        if gate.revocation is not None:
            yield from self._judge_revocation(gate.revocation)
        if gate.classification is not None:
            limits = [each.max_sensitivity for each in covering if each.max_sensitivity]
            yield from self._judge_class(gate.classification, limits)

    def _judge_rule(self, rule: Rule) -> Iterator[str]:
        if rule.pinned and self._reference.digest is None:
            yield (
                f"it was asked for as {str(self._reference)!r}, without a digest; write"
                f" {str(self._store.pin(self._manifest.digest))!r}"
            )
        if rule.vouchers:
            yield from self._demand(rule.vouchers, predicate_types.SIGNATURE, "it is not signed")
        for each in rule.attestations:
            missing = f"it has no attestation of type {each.predicate_type!r}"
            yield from self._demand(each.vouchers, each.predicate_type, missing)
        if rule.promoters and self._reference.digest is None and self._reference.tag is not None:
            from kitline.operations.policy.promotions import judge_promotion

            tag, kit = self._reference.tag, self._manifest.digest
            yield from judge_promotion(self._store, tag, kit, rule.promoters, rule.stages)
        if rule.forbidden_formats:
            kits = kits_below(self._store, self._manifest)
            yield from forbidden_in(kits, self._store, rule.forbidden_formats)

    def _demand(self, vouchers: Sequence[Voucher], kind: str, missing: str) -> Iterator[str]:
        """Yield a sentence if none of the vouchers signed a statement of this type."""
        names: list[str] = []
        reasons: list[str] = []
        for voucher in vouchers:
            try:
                authority = voucher.authority()
            except KitlineError as cause:
                reasons.append(str(cause))
                continue
            names.append(authority.name)
            for place in self._places:
                try:
                    found = examine(place, self._manifest.digest, authority, kind, enough=1)
                except KitlineError as cause:
                    reasons.append(str(cause))
                    continue
                if found.passed:
                    return
                reasons += found.failures
        whom = f" by {' or '.join(names)}" if names else ""
        why = "".join(f"\n    {each}" for each in _once(reasons)[:5])
        yield f"{missing}{whom}{why}"

    def _judge_revocation(self, wanted: Revocation) -> Iterator[str]:
        unread = [] if wanted.allow_unreachable else list(self._family.unread)
        for kin in self._family.kin:
            if kin.digest in wanted.kits:
                yield f"{kin.describe()} is revoked by the policy itself"
            places = [*kin.places, *self._open(wanted.also_in, unread)]
            said = self._signed(
                kin.digest, places, wanted.vouchers, predicate_types.REVOCATION, unread
            )
            for each in said:
                reason = _shown(each.predicate.get("reason"))
                yield f"{kin.describe()} is revoked by {each.signed_by}" + (
                    f": {reason}" if reason else ""
                )
        if not wanted.allow_unreachable:
            yield from (f"revocations cannot be ruled out: {each}" for each in _once(unread))

    def _judge_class(self, wanted: Classification, limits: Sequence[str]) -> Iterator[str]:
        unread = [] if wanted.allow_unreachable else list(self._family.unread)
        found = [
            (_shown(each.predicate.get("sensitivity")), each, kin)
            for kin in self._family.kin
            for each in self._signed(
                kin.digest, kin.places, wanted.vouchers, predicate_types.CLASSIFICATION, unread
            )
        ]
        for limit in limits:
            above = [each for each in found if sensitivity_rank(each[0]) > sensitivity_rank(limit)]
            for level, evidence, kin in above:
                owner = _shown(evidence.predicate.get("owner"))
                yield (
                    f"{kin.describe()} is classified {level!r}"
                    + (f" by its owner {owner!r}" if owner else "")
                    + f", and {limit!r} is the most that may be used"
                )
        if wanted.required and not found:
            yield "neither it nor a parent is classified by whom the policy believes"
        if not wanted.allow_unreachable and (limits or wanted.required):
            yield from (f"its class is not certain: {each}" for each in _once(unread))

    def _signed(
        self,
        subject: Digest,
        places: Sequence[Place],
        vouchers: Sequence[Voucher],
        kind: str,
        unread: list[str],
    ) -> Iterator[Evidence]:
        """Yield what vouchers say of a subject in any place; what cannot be read is noted."""
        for voucher in vouchers:
            try:
                authority = voucher.authority()
            except KitlineError as cause:
                unread.append(str(cause))
                continue
            seen = set()
            for place in places:
                try:
                    found = examine(place, subject, authority, kind)
                except KitlineError as cause:
                    unread.append(f"what {place.name!r} holds about {subject}: {cause}")
                    continue
                if not found.is_complete:
                    unread.append(f"too much is attached to {subject} at {place.name!r}")
                for each in found.passed:
                    if each.payload not in seen:
                        seen.add(each.payload)
                        yield each

    @cached_property
    def _family(self) -> Family:
        family = find_family(self._manifest, self._places, self._all, self._stores, self._claimed)
        unread = family.unread if self._named_place else (*family.unread, _UNASKED)
        return Family(kin=family.kin, unread=unread)

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        """Where the kit was found, and where its name says that it is, if that is elsewhere."""
        there = self._named_place
        return self._all.all_of([self._store] if there is None else [self._store, there])

    @cached_property
    def _named_place(self) -> Store | None:
        try:
            return self._stores.open(self._reference)
        except KitlineError:
            return None

    def _open(self, names: Iterable[str], unread: list[str]) -> Iterator[Place]:
        for name in names:
            try:
                yield self._all.of(self._stores.open(read_reference(name)))
            except KitlineError as cause:
                unread.append(f"{name!r} cannot be asked: {cause}")


def _shown(value: object) -> str:
    return value[:_SHOWN] if isinstance(value, str) else ""


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
