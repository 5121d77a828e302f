"""The examples, each run whole in this process against a registry on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kitline
import pytest
from airflow_home import DAGS
from contexts import airflow_3
from dags import asset_events, load_example, run, xcom
from kitline_airflow import PartitionKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.testing import LocalRegistry

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("database")]


@pytest.fixture
def example(
    connected: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Load an example that speaks to the registry of this test."""
    monkeypatch.setenv("MODELKIT_REGISTRY", connected.host)
    monkeypatch.setenv("MODELKIT_WORK", str(tmp_path / "work"))
    return lambda name: load_example(name, DAGS)


def test_train_and_push_gives_one_digest_in_xcom_event_receipt_and_registry(
    example: Callable[[str], Any], connected: LocalRegistry
) -> None:
    done = run(example("train_and_push"), "train_and_push", version="v1")

    assert done.state == "success"
    digest = str(kitline.resolve(f"{connected.host}/team/iris:v1").digest)
    assert xcom(done, "train") == f"{connected.host}/team/iris@{digest}"
    assert xcom(done, "train", "digest") == digest
    assert xcom(done, "train", "receipt")["digest"] == digest
    data = xcom(done, "push_data", "digest")
    assert kitline.inspect(f"{connected.host}/team/iris:v1").parents == [
        {"digest": data, "role": "data"}
    ]


@airflow_3
def test_the_asset_event_has_the_same_digest(
    example: Callable[[str], Any], connected: LocalRegistry
) -> None:
    done = run(example("train_and_push"), "train_and_push", version="v1")

    (event,) = asset_events(f"modelkit://{connected.host}/team/iris")
    assert event.extra["reference"] == xcom(done, "train")
    assert event.extra["digest"] == xcom(done, "train", "digest")
    assert event.partition_key is None


def test_a_second_run_on_the_same_data_gives_the_same_digest(
    example: Callable[[str], Any], connected: LocalRegistry
) -> None:
    module = example("train_and_push")

    first = run(module, "train_and_push", version="v1")
    second = run(module, "train_and_push", version="v2")

    assert xcom(first, "train") == xcom(second, "train")


def test_promote_on_event_promotes_what_it_was_given(
    example: Callable[[str], Any], connected: LocalRegistry
) -> None:
    pushed = xcom(run(example("train_and_push"), "train_and_push", version="v1"), "train")

    done = run(example("promote_on_event"), "promote_on_event", reference=pushed)

    assert done.state == "success"
    assert str(kitline.resolve(f"{connected.host}/team/iris:staging")) == pushed
    (record,) = kitline.stage_history(f"{connected.host}/team/iris", "staging")
    assert record.run["system"] == "airflow"
    assert record.run["id"] == f"promote_on_event/{done.run_id}/promote"


@airflow_3
def test_promote_promote_and_roll_back_give_three_partition_keys(
    example: Callable[[str], Any], connected: LocalRegistry, model: Path
) -> None:
    repository = f"{connected.host}/team/iris"
    one = kitline.pack(model, f"{repository}:v1")
    (model / "model.bin").write_bytes(b"better weights")
    two = kitline.pack(model, f"{repository}:v2")
    module = example("deploy_by_digest")

    for kit in (one, two, two):  # the last one changes nothing and emits no key
        assert run(module, "promote_to_production", reference=str(kit)).state == "success"
    back = run(example("rollback"), "roll_back", reason="too slow")
    assert back.state == "success"

    events = asset_events(f"modelkit://{repository}?stage=production")
    keys = [each.partition_key for each in events]
    assert [PartitionKey.parse(each) for each in keys if each] == [
        PartitionKey(digest=str(one.digest), stage="production", seq=1),
        PartitionKey(digest=str(two.digest), stage="production", seq=2),
        PartitionKey(digest=str(one.digest), stage="production", seq=3),
    ]
    assert len(keys) == 4
    assert {each.extra["digest"] for each in events[:1] + events[3:]} == {str(one.digest)}
    assert xcom(back, "roll_back", "digest") == str(one.digest)
    assert xcom(back, "roll_back", "receipt")["digest"] == str(one.digest)
    assert kitline.resolve(f"{repository}:production") == one.reference


@airflow_3
def test_deploy_by_digest_is_run_by_hand_with_a_reference(
    example: Callable[[str], Any], connected: LocalRegistry, model: Path
) -> None:
    kit = kitline.pack(model, f"{connected.host}/team/iris:v1")

    done = run(example("deploy_by_digest"), "deploy_by_digest", reference=str(kit))

    assert done.state == "success"
    assert xcom(done, "deploy") == str(kit)
