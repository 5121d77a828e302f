"""The history of a stage: what its records, in whatever order they were found, say together.

Registries offer no compare-and-swap, so two writers may follow the same record. Everybody decides
alike: the record with the highest (seq, digest) is the head, and the line leads from it back over
the records that each one follows. Records off the line have lost: they stay visible, and the stage
never stayed at them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from kitline.promotion.record import ROLLBACK, PromotionRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from kitline.oci.digest import Digest


@dataclass(frozen=True)
class History:
    """The records of one stage; equal records make equal histories."""

    records: tuple[PromotionRecord, ...] = ()
    """Sorted by (seq, digest), those that lost included."""

    @classmethod
    def of(cls, records: Iterable[PromotionRecord]) -> History:
        """Put records in order and mark those that lost."""
        known = {each.digest: replace(each, lost=False) for each in records}
        ordered = sorted(known.values(), key=lambda each: each.order)
        line = {each.digest for each in _line_back(ordered)}
        return cls(tuple(replace(each, lost=each.digest not in line) for each in ordered))

    @cached_property
    def line(self) -> tuple[PromotionRecord, ...]:
        """The moves that held, oldest first."""
        return tuple(each for each in self.records if not each.lost)

    @property
    def head(self) -> PromotionRecord | None:
        """The move that holds now."""
        return self.records[-1] if self.records else None

    @property
    def kit(self) -> Digest | None:
        """What the stage holds."""
        return self.head.kit if self.head else None

    @property
    def lost(self) -> tuple[PromotionRecord, ...]:
        """The moves that lost against another at the same time."""
        return tuple(each for each in self.records if each.lost)

    def explains(self, tag: Digest, *, moves: int = 1) -> bool:
        """Tell whether a tag may be here though no one but kitline moved it.

        That is where the head is, or where a move that broke off would have left it: at one of the
        last `moves` records before.
        """
        lowest = (self.head.seq if self.head else 0) - moves
        return any(each.kit == tag for each in self.records if each.seq >= lowest)

    @property
    def kits(self) -> frozenset[Digest]:
        """Every kit that a record names."""
        return frozenset(each.kit for each in self.records)

    def find(self, digest: Digest) -> PromotionRecord | None:
        """Return a record by its own digest."""
        return next((each for each in self.records if each.digest == digest), None)

    def before(self, record: PromotionRecord) -> Digest | None:
        """Return what the stage held before a record of the line."""
        earlier = [each for each in self.line if each.seq < record.seq]
        return earlier[-1].kit if earlier else None

    def until(self, moment: datetime) -> tuple[PromotionRecord, ...]:
        """Return the line up to the last move that says to be no later than `moment`."""
        line = self.line
        for number in range(len(line), 0, -1):
            if line[number - 1].when <= moment:
                return line[:number]
        return ()

    def rolled_back_from(self) -> frozenset[Digest]:
        """Return the kits that somebody rolled back from and nobody promoted since."""
        bad: set[Digest] = set()
        held: Digest | None = None
        for each in self.line:
            if each.action == ROLLBACK and held not in (None, each.kit):
                assert held is not None
                bad.add(held)
            if each.action != ROLLBACK:
                bad.discard(each.kit)
            held = each.kit
        return frozenset(bad)

    def good(self, *, until: datetime | None = None) -> Iterator[Digest]:
        """Yield what a rollback may go to, the last first, each once.

        That is what the stage held, but not what it holds now, nor what was rolled back from.
        """
        bad = self.rolled_back_from()
        seen: set[Digest | None] = {self.kit}
        for each in reversed(self.line if until is None else self.until(until)):
            if each.kit not in seen and each.kit not in bad:
                yield each.kit
            seen.add(each.kit)

    def only(self, digests: Collection[Digest]) -> History:
        """Return the history as those see it who believe these records alone."""
        return History.of(each for each in self.records if each.digest in digests)


def _line_back(ordered: list[PromotionRecord]) -> Iterator[PromotionRecord]:
    """Yield the line from the head back.

    Where a record names one that is not there (nobody removes records, but people remove tags), the
    highest one below it goes on, so that the rest is not lost with it.
    """
    known = {each.digest: each for each in ordered}
    number = len(ordered) - 1
    current = ordered[-1] if ordered else None
    while current is not None:
        yield current
        found = None if current.previous is None else known.get(current.previous)
        if found is None or found.seq >= current.seq:
            while number >= 0 and ordered[number].seq >= current.seq:
                number -= 1
            found = ordered[number] if number >= 0 else None
        current = found
