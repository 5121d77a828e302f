"""Requirements: what has to hold of a kit before a stage moves to it, all problems told together.

`signed`, `attestation:TYPE`, `metric:NAME:ge:0.9` (ge, gt, le, lt, eq, ne) and `newer-than:STAGE`.
"""

from __future__ import annotations

import operator
from functools import cached_property
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, NotSigned, PolicyError, UsageError
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.operations.compare_facts import find_metrics, find_said
from kitline.operations.stages.table import read_stage
from kitline.promotion.names import check_stage
from kitline.promotion.times import read_time
from kitline.trust.predicate_types import predicate_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from kitline.oci.manifest import Manifest
    from kitline.operations.compare_facts import Said
    from kitline.store.interface import Store
    from kitline.trust.authority import Authority

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "ge": (operator.ge, "at least"),
    "gt": (operator.gt, "more than"),
    "le": (operator.le, "at most"),
    "lt": (operator.lt, "less than"),
    "eq": (operator.eq, "exactly"),
    "ne": (operator.ne, "other than"),
}
FORMS = "signed, attestation:TYPE, metric:NAME:ge:0.9, newer-than:STAGE"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One thing that has to hold."""

    text: str
    kind: str
    name: str = ""
    comparison: str = ""
    limit: float = 0.0


def read_requirements(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Read requirements; one text may hold several, between commas.

    Raises:
        UsageError: naming the one that cannot be read.
    """
    parts = (part.strip() for text in texts for part in text.split(","))
    return tuple(_read(part) for part in parts if part)


def _read(text: str) -> Requirement:
    kind, _, rest = text.partition(":")
    if kind == "signed" and not rest:
        return Requirement(text=text, kind=kind)
    if kind == "attestation" and rest:
        return Requirement(text=text, kind=kind, name=predicate_type(rest))
    if kind == "newer-than" and rest:
        return Requirement(text=text, kind=kind, name=check_stage(rest))
    if kind == "metric":
        name, comparison, limit = [*rest.rsplit(":", 2), "", ""][:3]
        if name and comparison in COMPARISONS and _is_number(limit):
            return Requirement(
                text=text, kind=kind, name=name, comparison=comparison, limit=float(limit)
            )
    raise UsageError(
        f"requirement {text!r} cannot be read; the forms are {FORMS}, and metrics are compared with"
        f" {', '.join(COMPARISONS)}"
    )


def check_requirements(
    requirements: Sequence[Requirement],
    store: Store,
    manifest: Manifest,
    *,
    stage_store: Store,
    stage: str,
    authority: Authority | None,
) -> None:
    """Refuse a kit that does not meet all requirements.

    `store` holds the kit and what is said of it, `stage_store` the stages. With an authority,
    signatures, attestations and metrics have to be its own.

    Raises:
        PolicyError: with everything that is not met; nothing has moved.
        UsageError: if `signed` is required, and nobody said by whom.
    """
    facts = Facts(store, manifest, stage_store, authority)
    problems = [f"{each.text}: {why}" for each in requirements if (why := facts.problem(each))]
    if problems:
        raise PolicyError(
            f"{store.pin(manifest.digest)} is not promoted to {stage!r}; of what is required:",
            problems,
        )


class Facts:
    """What is known of one kit, read when it is first asked for."""

    def __init__(
        self, store: Store, manifest: Manifest, stage_store: Store, authority: Authority | None
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._stage_store = stage_store
        self._authority = authority

    @cached_property
    def _said(self) -> list[Said]:
        return find_said(self._store, self._manifest.digest, self._authority)

    def problem(self, requirement: Requirement) -> str | None:
        """Return why a requirement is not met; None if it is."""
        if requirement.kind == "signed":
            return self._unsigned()
        if requirement.kind == "attestation":
            return self._unattested(requirement.name)
        if requirement.kind == "metric":
            return self._unmet(requirement)
        return self._not_newer(requirement.name)

    def _unsigned(self) -> str | None:
        from kitline.trust.verify import verify_signature

        if self._authority is None:
            raise UsageError(
                "'signed' takes the public key that has to verify; name it with --verify-key"
                " (verify_key=… in Python)"
            )
        try:
            verify_signature(self._store, self._manifest.digest, self._authority)
        except NotSigned as cause:
            return str(cause)
        return None

    def _unattested(self, kind: str) -> str | None:
        if any(each.predicate_type == kind for each in self._said):
            return None
        return f"nothing of type {kind!r} is attached{self._by()}"

    def _unmet(self, wanted: Requirement) -> str | None:
        """Return why a metric is not good enough; each value that anybody gives has to be."""
        holds, words = COMPARISONS[wanted.comparison]
        values = find_metrics(self._said).get(wanted.name, ())
        if not values:
            return f"no evaluation or run tells {wanted.name!r}{self._by()}"
        bad = [value for value in values if not holds(value, wanted.limit)]
        if not bad:
            return None
        return f"{wanted.name!r} is {bad[0]:g}, and has to be {words} {wanted.limit:g}"

    def _not_newer(self, stage: str) -> str | None:
        state = read_stage(self._stage_store, stage)
        held = state.digest or state.tag
        if held is None:
            return None  # nothing is there to be newer than
        if held == self._manifest.digest:
            return f"it is what {stage!r} holds"
        other = self._stage_store.find_manifest(held)
        mine, its = _created(self._manifest), None if other is None else _created(other)
        if mine is None or its is None:
            which = "it" if mine is None else f"what {stage!r} holds, {held},"
            return f"{which} does not say when it was made, so that nobody can tell"
        if mine <= its:
            return (
                f"it was made at {mine:%Y-%m-%d %H:%M:%S}Z, {stage!r} at {its:%Y-%m-%d %H:%M:%S}Z"
            )
        return None

    def _by(self) -> str:
        return f" and signed by {self._authority.name}" if self._authority is not None else ""


def _created(manifest: Manifest) -> datetime | None:
    try:
        return read_time(manifest.annotations.get(media_types.CREATED, ""))
    except KitlineError:
        return None


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)  # only NaN is not itself
    except ValueError:
        return False
