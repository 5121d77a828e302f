"""Triggers: they wait in the triggerer, and never block its event loop.

Each looks about once a minute; see `polling` for what those of one connection share. Arguments hold
names only, never secrets: the connection is read where the trigger runs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from kitline_airflow.conditions import Condition
from kitline_airflow.connection import DEFAULT
from kitline_airflow.failures import is_final
from kitline_airflow.memory import Memory
from kitline_airflow.polling import INTERVAL, Pace, line_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import kitline


class ModelKitConditionTrigger(BaseTrigger):
    """Fires once, when a condition holds; what `ModelKitSensor` waits with.

    The event is `{"reference": …}`, or `{"error": …}` where waiting on makes no sense.
    """

    def __init__(
        self,
        condition: Mapping[str, Any],
        modelkit_conn_id: str | None = DEFAULT,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # in Airflow
        self.condition = Condition.from_json(condition)
        self.modelkit_conn_id = modelkit_conn_id
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "kitline_airflow.triggers.ModelKitConditionTrigger",
            {
                "condition": self.condition.to_json(),
                "modelkit_conn_id": self.modelkit_conn_id,
                "interval": self.interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from kitline.errors import KitlineError

        pace = Pace(self.interval)
        async with line_of(self.modelkit_conn_id) as line:
            wait = pace.first()
            while True:
                await asyncio.sleep(wait)
                try:
                    found = await line.ask(self.condition.check)
                except KitlineError as error:
                    if is_final(error):
                        yield _event({"error": str(error)})
                        return
                    self.log.warning("cannot tell yet: %s", error)
                    wait = pace.bad(error)
                    continue
                if found is not None:
                    yield _event({"reference": found})
                    return
                wait = pace.good()


class _Watcher(BaseEventTrigger):
    """Looks again and again, and tells each move once; a failing registry does not end it."""

    settled = 5.0
    """Seconds after an event until it counts as told: the triggerer hands events on each second."""

    def __init__(
        self,
        *,
        modelkit_conn_id: str | None,
        interval: float,
        asset: str | None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # in Airflow
        self.modelkit_conn_id = modelkit_conn_id
        self.interval = interval
        self.asset = asset

    def look(
        self, seen: Mapping[str, Any]
    ) -> Callable[[Callable[[str], str], kitline.Settings], list[dict[str, Any]]]:
        """Return what finds the moves after those that were seen; it runs in a thread."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from kitline.errors import KitlineError

        memory = Memory(getattr(self, "asset_state_store", None), self.asset)
        seen = await memory.read()
        pace = Pace(self.interval)
        async with line_of(self.modelkit_conn_id) as line:
            wait = pace.first()
            while True:
                await asyncio.sleep(wait)
                try:
                    moves = await line.ask(self.look(seen))
                except KitlineError as error:
                    self.log.warning("cannot look at %s: %s", self.asset or self, error)
                    wait = pace.bad(error)
                    continue
                wait = pace.good()
                for move in moves:
                    yield _event(move)
                    seen = move
                    # Only what was handed on is remembered: ended in between, it is told again.
                    # And Airflow starts no run for an event that comes while it makes one.
                    await asyncio.sleep(self.settled)
                    await memory.write(seen)
                    wait = max(0.0, wait - self.settled)


class TagMovedTrigger(_Watcher):
    """Fires when a tag points elsewhere than at the last look: `{"digest", "reference", "tag"}`.

    The first look at a tag that is there counts as a move, unless one is remembered. Of several
    moves between two looks the last is told; for stages use `StageMovedTrigger`, which misses none.

    Args:
        reference: `registry/repository:tag`; a name without registry gets the connection's.
        modelkit_conn_id: The Airflow connection.
        interval: Seconds between two looks.
        asset: The name of the watched asset, under which is remembered what was seen.
    """

    def __init__(
        self,
        reference: str,
        modelkit_conn_id: str | None = DEFAULT,
        interval: float = INTERVAL,
        asset: str | None = None,
    ) -> None:
        super().__init__(modelkit_conn_id=modelkit_conn_id, interval=interval, asset=asset)
        self.reference = reference

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "kitline_airflow.triggers.TagMovedTrigger",
            {
                "reference": self.reference,
                "modelkit_conn_id": self.modelkit_conn_id,
                "interval": self.interval,
                "asset": self.asset,
            },
        )

    def look(
        self, seen: Mapping[str, Any]
    ) -> Callable[[Callable[[str], str], kitline.Settings], list[dict[str, Any]]]:
        def find(locate: Callable[[str], str], settings: kitline.Settings) -> list[dict[str, Any]]:
            import kitline
            from kitline.plugin import Reference

            name = Reference.parse(locate(self.reference))
            found = kitline.resolve(name, settings=settings)
            if found is None or str(found.digest) == seen.get("digest"):
                return []
            move = {"digest": str(found.digest), "reference": str(found), "tag": name.tag}
            previous = {"previous": seen["digest"]} if seen.get("digest") else {}
            return [{**move, **previous}]

        return find


class StageMovedTrigger(_Watcher):
    """Fires for each promotion and each rollback of a stage, in order, also for those in between.

    It replays the promotion records after the last one seen. The event has `digest`, `reference`,
    `stage`, `seq`, `action` and `record`, the digest of the record: the same if told twice.

    Args:
        repository: Where the stage is; a name without registry gets the connection's.
        stage: A tag such as `production`.
        modelkit_conn_id: The Airflow connection.
        interval: Seconds between two looks.
        asset: The name of the watched asset, under which is remembered what was seen.
        replay: What is told where nothing is remembered: `latest`, or `all` of the history.
    """

    def __init__(
        self,
        repository: str,
        stage: str,
        modelkit_conn_id: str | None = DEFAULT,
        interval: float = INTERVAL,
        asset: str | None = None,
        replay: str = "latest",
    ) -> None:
        super().__init__(modelkit_conn_id=modelkit_conn_id, interval=interval, asset=asset)
        if replay not in ("latest", "all"):
            raise ValueError(f"replay={replay!r} is neither 'latest' nor 'all'")
        self.repository = repository
        self.stage = stage
        self.replay = replay

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "kitline_airflow.triggers.StageMovedTrigger",
            {
                "repository": self.repository,
                "stage": self.stage,
                "modelkit_conn_id": self.modelkit_conn_id,
                "interval": self.interval,
                "asset": self.asset,
                "replay": self.replay,
            },
        )

    def look(
        self, seen: Mapping[str, Any]
    ) -> Callable[[Callable[[str], str], kitline.Settings], list[dict[str, Any]]]:
        def find(locate: Callable[[str], str], settings: kitline.Settings) -> list[dict[str, Any]]:
            import kitline

            repository = locate(self.repository)
            last = seen.get("record_tag")
            history = kitline.stage_history(repository, self.stage, after=last, settings=settings)
            moves = [_told(repository, each) for each in history if not each.lost]
            return moves if last is not None or self.replay == "all" else moves[-1:]

        return find


def _told(repository: str, record: Any) -> dict[str, Any]:
    return {
        "digest": str(record.kit),
        "reference": f"{repository}@{record.kit}",
        "stage": record.stage,
        "seq": record.seq,
        "action": record.action,
        "record": str(record.digest),
        "record_tag": record.tag,
    }


def _event(payload: dict[str, Any]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call] # in Airflow
