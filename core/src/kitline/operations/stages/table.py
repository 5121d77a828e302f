"""Stages: what `production` and the others hold, since when, and who put it there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError, UsageError
from kitline.operations.defaults import settings_or_default
from kitline.operations.stages.pattern import find_repositories
from kitline.operations.stages.records import RecordReader
from kitline.operations.stages.state import StageState, StageTable
from kitline.operations.stores import Stores, read_repository
from kitline.promotion.names import CUSTOMARY, check_stage, find_record_tag
from kitline.promotion.times import read_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.promotion.history import History
    from kitline.promotion.names import RecordTag
    from kitline.promotion.record import PromotionRecord
    from kitline.store.interface import Store
    from kitline.trust.authority import Authority


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
