"""The plan of a clean-up: which kits stay, and why, and which may go.

A kit stays for its own sake (a stage, the newest ones, its age, a tag), because something that was
made from it still exists somewhere, or because a kit that stays descends from it.
"""

from __future__ import annotations

import re
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError
from kitline.frozen import dataclass
from kitline.oci.manifest import ImageManifest
from kitline.oci.reference import Reference
from kitline.operations.claimed import ClaimedPlaces
from kitline.operations.lineage.ancestors import located_parents
from kitline.operations.prune.edges import EdgeReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from kitline.oci.digest import Digest
    from kitline.operations.prune.survey import Survey, SurveyedKit
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What to keep; stages, their history and what they descend from are kept in any case."""

    keep_last: int = 0
    keep_newer: timedelta | None = None
    keep_tags: tuple[str, ...] = ()
    """Patterns of tags."""
    grace: timedelta
    ignore_edges: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedKit:
    """A kit, and what is to become of it."""

    digest: Digest
    tags: tuple[str, ...]
    since: datetime
    kept: tuple[str, ...]
    """Why it stays; empty if it goes."""
    size: int
    """Bytes of its layers and config."""

    @property
    def goes(self) -> bool:
        """Whether it is to be removed."""
        return not self.kept

    def to_json(self) -> dict[str, Any]:
        """Return the kit as `--json` prints it."""
        return {
            "digest": str(self.digest),
            "tags": list(self.tags),
            "since": self.since.isoformat(timespec="seconds"),
            "keptBecause": list(self.kept),
            "size": self.size,
        }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a clean-up would do to one repository."""

    repository: str
    kits: tuple[PlannedKit, ...]
    """Newest first."""
    frees: int
    """Bytes that only kits that go refer to."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def going(self) -> tuple[PlannedKit, ...]:
        """What is to be removed."""
        return tuple(each for each in self.kits if each.goes)

    @property
    def staying(self) -> tuple[PlannedKit, ...]:
        """What stays."""
        return tuple(each for each in self.kits if not each.goes)


def make_plan(store: Store, found: Survey, rules: Rules, stores: Stores, now: datetime) -> Plan:
    """Decide on every kit of a repository."""
    ordered = sorted(found.kits.values(), key=_newest, reverse=True)
    kept: dict[Digest, list[str]] = {each.digest: [] for each in ordered}
    for number, each in enumerate(ordered):
        kept[each.digest] += _own_reasons(each, number, found, rules, now)
    warnings = list(found.warnings)
    if not rules.ignore_edges:
        with ClaimedPlaces(stores) as claimed, EdgeReader(store, stores, claimed) as reader:
            for each in ordered:
                if not kept[each.digest] and (reason := reader.find_living(each.digest)):
                    kept[each.digest].append(reason)
        warnings += reader.warnings
    with ClaimedPlaces(stores) as claimed:
        warnings += _keep_ancestors(store, found, kept, claimed)
    kits = tuple(_planned(each, kept[each.digest]) for each in ordered)
    return Plan(
        repository=store.name, kits=kits, frees=_frees(found, kits), warnings=tuple(warnings)
    )


def _own_reasons(
    kit: SurveyedKit, number: int, found: Survey, rules: Rules, now: datetime
) -> Iterable[str]:
    if kit.digest in found.staged:
        yield found.staged[kit.digest]
    if kit.digest in found.part_of_index:
        yield "an index refers to it"
    if number < rules.keep_last:
        yield f"one of the last {rules.keep_last}"
    if rules.keep_newer is not None and now - kit.since < rules.keep_newer:
        yield f"newer than {_span(rules.keep_newer)}"
    elif now - kit.since < rules.grace:
        yield f"younger than the grace time of {_span(rules.grace)}"
    for pattern in rules.keep_tags:
        if any(fnmatchcase(tag, pattern) for tag in kit.tags):
            yield f"has a tag like {pattern!r}"


def _keep_ancestors(
    store: Store, found: Survey, kept: dict[Digest, list[str]], claimed: ClaimedPlaces
) -> list[str]:
    """Keep what kits that stay descend from.

    Where the way up leads through another repository, it is followed as far as provenance says
    where that is; besides, a kit has an edge to each child, and stays while that exists.
    """
    warnings: list[str] = []
    waiting = [(store, found.kits[digest].manifest, digest) for digest, why in kept.items() if why]
    asked: set[Digest] = set()
    while waiting:
        place, manifest, below = waiting.pop()
        if manifest.digest in asked:
            continue
        asked.add(manifest.digest)
        for parent in located_parents(place, manifest, every=True):
            if parent.digest in kept:
                if not kept[parent.digest]:
                    kept[parent.digest].append(f"{below.hex[:12]} descends from it")
                waiting.append((store, found.kits[parent.digest].manifest, parent.digest))
            elif parent.reference is not None and parent.digest not in asked:
                try:
                    address = Reference.parse(parent.reference)
                    other = claimed.open(address, [place.name])
                    there = other.find_manifest(parent.digest)
                except KitlineError as cause:
                    warnings.append(f"above {below}: {parent.digest} cannot be read: {cause}")
                    continue
                if isinstance(there, ImageManifest):
                    waiting.append((other, there, below))
    return warnings


def _planned(kit: SurveyedKit, reasons: list[str]) -> PlannedKit:
    return PlannedKit(
        digest=kit.digest,
        tags=kit.tags,
        since=kit.since,
        kept=tuple(reasons),
        size=sum(each.size for each in kit.manifest.references),
    )


def _frees(found: Survey, kits: Iterable[PlannedKit]) -> int:
    """Return how many bytes nothing that stays refers to."""
    going = {each.digest for each in kits if each.goes}
    stays = {
        part.digest
        for manifest in (
            *(each.manifest for each in found.kits.values() if each.digest not in going),
            *found.others.values(),
        )
        for part in manifest.references
    }
    freed = {
        part.digest: part.size
        for digest in going
        for part in found.kits[digest].manifest.references
        if part.digest not in stays
    }
    return sum(freed.values()) + sum(found.kits[digest].manifest.size for digest in going)


def _newest(kit: SurveyedKit) -> tuple[datetime, list[tuple[int, str]], Digest]:
    """Order by time; what came at once by tags as people number them, v9 before v10."""
    tags = [[(int(n or 0), text) for n, text in _PIECES.findall(tag)] for tag in kit.tags]
    return kit.since, max(tags, default=[]), kit.digest


_PIECES = re.compile(r"(\d{1,18})|(\D+)")


def _span(span: timedelta) -> str:
    """Return a span as people write it."""
    seconds = int(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
