"""The state of a stage as a value: what it holds, since when, and whether its tag agrees."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.operations.html_table import html_table
from kitline.promotion.times import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kitline.oci.digest import Digest
    from kitline.promotion.record import PromotionRecord

HEADINGS = ("stage", "kit", "since", "by", "no.", "why", "note")
"""The columns of a table of stages."""


@dataclass(frozen=True, kw_only=True)
class StageState:
    """What a stage holds, by its history, and whether its tag agrees."""

    stage: str
    repository: str
    digest: Digest | None
    """What it holds by its history; None if nothing was ever promoted, or not yet then."""
    tag: Digest | None
    """What its tag points at now; None if there is none, or another time was asked for."""
    seq: int = 0
    record: Digest | None = None
    action: str = ""
    when: datetime | None = None
    who: str = ""
    who_from: str = ""
    reason: str = ""
    signed: bool = False
    signed_by: str = ""
    """Who signed the record, if that was verified."""
    previous: Digest | None = None
    """What it held before."""
    moved_outside: bool = False
    """Whether the tag points at something that no late record explains: not kitline moved it."""
    lags: bool = False
    """Whether the tag points elsewhere than the history says, or is missing."""
    history: tuple[PromotionRecord, ...] = field(default=(), repr=False)
    """All records, oldest first, those that lost included."""
    problems: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[PromotionRecord, ...]:
        """Moves that lost against another at the same time."""
        return tuple(each for each in self.history if each.lost)

    @property
    def note(self) -> str:
        """What is wrong with it, in a few words; empty if nothing is."""
        if self.moved_outside:
            return f"moved outside kitline: the tag points at {self.tag}"
        if self.lags:
            if self.tag is None:
                return "the tag is missing"
            return (
                f"the tag lags: it points at {self.tag}, as if a move had broken off, or it was"
                " moved outside kitline; the next promote or rollback repairs it"
            )
        return ""

    @property
    def shown_history(self) -> tuple[PromotionRecord, ...]:
        """The records, up to the one that held at the time that was asked for."""
        return tuple(each for each in self.history if each.seq <= self.seq)

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table says of the stage, in the order of `HEADINGS`."""
        return (
            self.stage,
            self.digest.hex[:12] if self.digest else "–",
            f"{self.when:%Y-%m-%d %H:%M}Z" if self.when else "–",
            self.who or "–",
            str(self.seq or "–"),
            self.reason,
            self.note.partition(":")[0],
        )

    def _repr_html_(self) -> str:
        return html_table(HEADINGS, [self.cells], self.repository)

    def to_json(self, *, history: bool = False) -> dict[str, Any]:
        """Return the stage as `--json` prints it; with `history`, every move of it."""
        moves = {"history": [each.to_json() for each in self.shown_history]} if history else {}
        return {
            "stage": self.stage,
            "repository": self.repository,
            "digest": _text(self.digest),
            "reference": None if self.digest is None else f"{self.repository}@{self.digest}",
            "tag": _text(self.tag),
            "seq": self.seq,
            "record": _text(self.record),
            "action": self.action,
            "when": None if self.when is None else time_text(self.when),
            "who": self.who,
            "whoFrom": self.who_from,
            "reason": self.reason,
            "signed": self.signed,
            "verifiedWith": self.signed_by or None,
            "previous": _text(self.previous),
            "movedOutside": self.moved_outside,
            "tagLags": self.lags,
            "lost": [each.to_json() for each in self.lost],
            "problems": list(self.problems),
            **moves,
        }


@dataclass(frozen=True, kw_only=True)
class StageTable:
    """The stages of one or many repositories, in order; iterate over it."""

    states: tuple[StageState, ...]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[StageState]:
        return iter(self.states)

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, number: int) -> StageState:
        return self.states[number]

    def _repr_html_(self) -> str:
        rows = [(each.repository, *each.cells) for each in self.states]
        return html_table(("repository", *HEADINGS), rows)

    def to_json(self, *, history: bool = False) -> dict[str, Any]:
        """Return the table as `--json` prints it; with `history`, every move of each stage."""
        return {
            "stages": [each.to_json(history=history) for each in self.states],
            "warnings": list(self.warnings),
        }


def _text(digest: Digest | None) -> str | None:
    return None if digest is None else str(digest)
