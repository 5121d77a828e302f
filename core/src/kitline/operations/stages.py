"""Stages: what `production` and the others hold, since when, and who put it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError, UsageError
from kitline.operations.defaults import settings_or_default
from kitline.operations.html_table import html_table
from kitline.operations.promote_records import RecordReader
from kitline.operations.stages_pattern import find_repositories
from kitline.operations.stores import Stores, read_repository
from kitline.promotion.names import CUSTOMARY, check_stage, find_record_tag
from kitline.promotion.times import read_moment, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.promotion.history import History
    from kitline.promotion.names import RecordTag
    from kitline.promotion.record import PromotionRecord
    from kitline.store.interface import Store
    from kitline.trust.authority import Authority
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


def stages(
    pattern: str | AnyReference,
    *,
    history: str | None = None,
    at: str | datetime | None = None,
    key: str | None = None,
    settings: Settings | None = None,
) -> StageTable:
    """Return what the stages of a repository hold; nothing is written.

    Args:
        pattern: A repository, or several: `registry.example/team/*`, `team/*` in the local store.
        history: One stage only; what it held is in `.history` of the one that is returned.
        at: What they held at that time: RFC 3339, a date, or a span such as `2h`.
        key: Public key; records that its owner signed say so.
        settings: By default those of files and environment.

    Raises:
        UsageError: if a name or time cannot be read.
    """
    settings = settings_or_default(settings)
    moment = None if at is None else read_moment(at, datetime.now(UTC))
    if history is not None:
        check_stage(history)
    authorities = _authorities(key)
    found: list[StageState] = []
    warnings: list[str] = []
    with Stores(settings) as stores:
        places = find_repositories(stores, pattern)
        for place in places:
            try:
                store = stores.open(place)
                found += _read_all(
                    store, history, at=moment, authorities=authorities, workers=settings.concurrency
                )
            except KitlineError as cause:
                if len(places) == 1:
                    raise
                warnings.append(f"{place.name!r} was left out: {cause}")
    return StageTable(states=tuple(found), warnings=tuple(warnings))


def _read_all(
    store: Store,
    only: str | None,
    *,
    at: datetime | None,
    authorities: Sequence[Authority],
    workers: int,
) -> list[StageState]:
    """Read one stage of a repository, or all of them."""
    wanted = list_stages(store) if only is None else [only]
    read = [
        read_stage(store, each, at=at, authorities=authorities, workers=workers) for each in wanted
    ]
    return [each for each in read if each.history or each.tag is not None or each.problems]


def stage_history(
    repository: str | AnyReference,
    stage: str,
    *,
    after: str | None = None,
    key: str | None = None,
    settings: Settings | None = None,
) -> list[PromotionRecord]:
    """Return every move of a stage, oldest first; those that lost against another say so.

    Args:
        repository: Where the stage is.
        stage: A tag such as `production`.
        after: The `.tag` of a record: only what came after it is read. Whoever looks again and
            again sends one request where nothing has moved.
        key: Public key; records that its owner signed say so.
        settings: By default those of files and environment.

    Raises:
        UsageError: if a name cannot be read.
    """
    settings = settings_or_default(settings)
    check_stage(stage)
    last = None if after is None else find_record_tag(after)
    if after is not None and (last is None or last.stage != stage):
        raise UsageError(f"{after!r} is not the tag of a record of stage {stage!r}")
    with Stores(settings) as stores:
        store = stores.open(read_repository(repository))
        reader = RecordReader(
            store, stage, authorities=_authorities(key), workers=settings.concurrency
        )
        if last is None:
            return list(reader.read().history.records)
        return _read_after(reader, last)


def _read_after(reader: RecordReader, last: RecordTag) -> list[PromotionRecord]:
    """Read what followed a record; those beside it decide with it who has lost."""
    named = {tag: each for tag in reader.list_tags() if (each := find_record_tag(tag))}
    if not any((each.seq, each.hex) > (last.seq, last.hex) for each in named.values()):
        return []
    found = reader.read(tag for tag, each in named.items() if each.seq >= last.seq)
    return [
        each
        for each in found.history.records
        if (each.seq, each.digest.hex[:16]) > (last.seq, last.hex)
    ]


def read_stage(
    store: Store,
    stage: str,
    *,
    at: datetime | None = None,
    authorities: Sequence[Authority] = (),
    workers: int = 4,
) -> StageState:
    """Return what a stage of a store holds; for policies, too.

    With `authorities`, each record in `.history` that one of them signed names it in `.signed_by`.
    """
    check_stage(stage)
    found = store.find_tag(stage)
    read = RecordReader(store, stage, authorities=authorities, workers=workers).read()
    history = read.history
    tag = None if found is None or at is not None else found.digest
    line = history.line if at is None else history.until(at)
    head = line[-1] if line else None
    return StageState(
        stage=stage,
        repository=store.name,
        digest=None if head is None else head.kit,
        tag=tag,
        **_head_fields(head, history),
        moved_outside=tag is not None and not history.explains(tag),
        lags=at is None and tag != history.kit,
        history=history.records,
        problems=read.problems,
    )


def _head_fields(head: PromotionRecord | None, history: History) -> dict[str, Any]:
    if head is None:
        return {}
    return {
        "seq": head.seq,
        "record": head.digest,
        "action": head.action,
        "when": head.when,
        "who": head.who,
        "who_from": head.who_from,
        "reason": head.reason,
        "signed": head.signed,
        "signed_by": head.signed_by,
        "previous": history.before(head),
    }


def list_stages(store: Store) -> list[str]:
    """Return the stages of a store: those with records, and customary ones that are only tags."""
    tags = store.list_tags()
    recorded = {each.stage for tag in tags if (each := find_record_tag(tag)) is not None}
    return sorted({*(each for each in recorded if _is_stage(each)), *(set(tags) & set(CUSTOMARY))})


def _is_stage(name: str) -> bool:
    try:
        check_stage(name)
    except UsageError:
        return False
    return True


def _authorities(key: str | None) -> tuple[Authority, ...]:
    if key is None:
        return ()
    from kitline.trust.authority import KeyAuthority
    from kitline.trust.key_source import load_public_key

    return (KeyAuthority(key=load_public_key(key)),)


def _text(digest: Digest | None) -> str | None:
    return None if digest is None else str(digest)
