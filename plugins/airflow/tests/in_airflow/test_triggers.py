"""Triggers: what they fire, what they remember, and what they share."""

from __future__ import annotations

import asyncio
import json
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from contexts import airflow_3
from kitline.testing import BearerAuth, Fault, LocalRegistry
from kitline_airflow import ModelKitConditionTrigger, StageMovedTrigger, TagMovedTrigger, polling
from kitline_airflow.conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAST = 0.05
"""Seconds between two looks, for tests."""


class State:
    """Airflow's memory of an asset, as a trigger sees it."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        self.kept = kept if kept is not None else {}

    def __getitem__(self, asset: Any) -> State:
        return State(self.kept.setdefault(asset.name, {}))

    async def aget(self, key: str) -> Any:
        return self.kept.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = value


async def fire(
    trigger: Any, count: int, *, settled: bool = False, patience: float = 30
) -> list[Any]:
    """Return the payloads of the next events; with `settled`, wait until they are remembered."""
    stream = trigger.run()
    found = [(await asyncio.wait_for(anext(stream), patience)).payload for _ in range(count)]
    if settled:
        ended = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(trigger.settled + 0.3)
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
    await stream.aclose()
    return found


def quiet(trigger: Any, seconds: float = 0.6) -> bool:
    """Tell whether a trigger fires nothing for so long."""

    async def wait() -> bool:
        stream = trigger.run()
        try:
            await asyncio.wait_for(anext(stream), seconds)
        except TimeoutError:
            return True
        finally:
            await stream.aclose()
        return False

    return asyncio.run(wait())


TRIGGERS = [
    ModelKitConditionTrigger(
        Condition(
            reference="team/iris:v1", digest="sha256:" + "0" * 64, key="k.pub", attestations=("a",)
        ).to_json(),
        "registry",
        30.0,
    ),
    TagMovedTrigger("team/iris:v1", "registry", 30.0, "iris"),
    StageMovedTrigger("team/iris", "production", "registry", 30.0, "iris", "all"),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda each: type(each).__name__)
def test_triggers_survive_serialising_and_hold_no_secret(trigger: Any) -> None:
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))

    assert type(again) is type(trigger)
    assert again.serialize() == (path, arguments)
    assert "password" not in json.dumps(arguments)


def test_a_condition_fires_once_it_holds(connected: LocalRegistry, model: Path) -> None:
    trigger = ModelKitConditionTrigger(Condition(reference="team/iris:v1").to_json(), interval=FAST)

    async def push_later() -> list[Any]:
        waiting = asyncio.ensure_future(fire(trigger, 1))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(kitline.pack, model, f"{connected.host}/team/iris:v1")
        return await waiting

    (event,) = asyncio.run(push_later())
    assert event == {"reference": str(kitline.resolve(f"{connected.host}/team/iris:v1"))}


def test_refused_credentials_end_the_wait_with_what_is_wrong(connect: Callable[..., None]) -> None:
    with LocalRegistry(auth=BearerAuth()) as registry:
        connect(registry.host, login="ann", password="wrong-secret")
        trigger = ModelKitConditionTrigger(Condition(reference="t/i:v1").to_json(), interval=FAST)

        (event,) = asyncio.run(fire(trigger, 1))

    assert "refused" in event["error"]
    assert "wrong-secret" not in event["error"]


def test_a_tag_that_moves_fires_once_for_each_move(connected: LocalRegistry, model: Path) -> None:
    name = f"{connected.host}/team/iris:v1"
    trigger = TagMovedTrigger("team/iris:v1", interval=FAST)
    one = kitline.pack(model, name)

    (first,) = asyncio.run(fire(trigger, 1))

    assert first == {"digest": str(one.digest), "reference": str(one), "tag": "v1"}


@airflow_3
def test_after_a_restart_a_remembered_tag_fires_nothing_and_a_move_fires(
    connected: LocalRegistry, model: Path
) -> None:
    name, state = f"{connected.host}/team/iris:v1", State()
    kitline.pack(model, name)

    def new() -> TagMovedTrigger:
        trigger = TagMovedTrigger("team/iris:v1", interval=FAST, asset="iris")
        trigger.asset_state_store = state
        trigger.settled = 0.1
        return trigger

    asyncio.run(fire(new(), 1, settled=True))
    assert quiet(new())
    (model / "model.bin").write_bytes(b"better weights")
    two = kitline.pack(model, name)
    (event,) = asyncio.run(fire(new(), 1))

    assert event["digest"] == str(two.digest)


@airflow_3
def test_an_event_that_was_not_handed_on_is_told_again(
    connected: LocalRegistry, model: Path
) -> None:
    kitline.pack(model, f"{connected.host}/team/iris:v1")
    state = State()

    events = []
    for _ in range(2):  # the second begins before the first event counts as told
        trigger = TagMovedTrigger("team/iris:v1", interval=FAST, asset="iris")
        trigger.asset_state_store = state
        events += asyncio.run(fire(trigger, 1))

    assert events[0] == events[1]


@airflow_3
def test_a_stage_replays_every_move_after_the_last_one_seen(
    connected: LocalRegistry, model: Path
) -> None:
    repository, state = f"{connected.host}/team/iris", State()
    one = kitline.pack(model, f"{repository}:v1")
    (model / "model.bin").write_bytes(b"better weights")
    two = kitline.pack(model, f"{repository}:v2")

    def new() -> StageMovedTrigger:
        trigger = StageMovedTrigger("team/iris", "production", interval=FAST, asset="iris")
        trigger.asset_state_store = state
        trigger.settled = 0.1
        return trigger

    kitline.promote(one.reference, "production")
    (first,) = asyncio.run(fire(new(), 1, settled=True))
    kitline.promote(two.reference, "production")  # while no triggerer runs
    kitline.rollback(repository, "production")
    later = asyncio.run(fire(new(), 2, settled=True))

    assert [each["seq"] for each in (first, *later)] == [1, 2, 3]
    assert [each["action"] for each in later] == ["promote", "rollback"]
    assert [each["digest"] for each in later] == [str(two.digest), str(one.digest)]
    assert len({each["record"] for each in (first, *later)}) == 3
    assert quiet(new())


def test_a_failing_registry_does_not_end_a_watcher_and_its_pause_is_kept(
    connected: LocalRegistry, model: Path
) -> None:
    kitline.pack(model, f"{connected.host}/team/iris:v1")
    connected.forget()
    connected.inject(Fault.too_many_requests(retry_after=2))
    began = time.monotonic()

    (event,) = asyncio.run(fire(TagMovedTrigger("team/iris:v1", interval=FAST), 1))

    assert event["tag"] == "v1"
    assert time.monotonic() - began >= 2  # not earlier than it was asked for
    assert connected.count() == 2


def test_triggers_of_one_connection_share_a_token_and_end_what_they_share(
    connect: Callable[..., None],
) -> None:
    with LocalRegistry(auth=BearerAuth(username="ann", password="s3cret")) as registry:
        connect(registry.host, login="ann", password="s3cret")

        async def wait() -> None:
            each = [TagMovedTrigger(f"team/iris:v{n}", interval=1) for n in range(12)]
            tasks = [asyncio.ensure_future(fire(trigger, 1)) for trigger in each]
            await asyncio.sleep(3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(wait())

        assert registry.count("HEAD", status=404) >= 12
        assert registry.count("GET", "^/token") == 1
    assert polling._lines == {}
