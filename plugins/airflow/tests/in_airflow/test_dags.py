"""DAGs with our operators, run whole in this process."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import kitline
import pytest
from airflow_home import DAGS, HOME
from contexts import airflow_3
from dags import asset_events, run, write_dag, xcom

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("database")]

HEAD = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG, task
from kitline_airflow import *
start = datetime(2026, 1, 1, tzinfo=UTC)
"""


def test_taskflow_packs_a_tree_that_a_function_returns(connected: LocalRegistry) -> None:
    module = write_dag(
        "taskflow_tree",
        HEAD
        + """
from kitline.plugin import FileTree, Kitfile, Model, bytes_entry

with DAG("taskflow_tree", schedule=None, start_date=start) as dag:
    @task.modelkit(to="team/tree:v1")
    def train(text="weights"):
        kitfile = Kitfile(model=Model(path="model.bin"))
        return FileTree(kitfile=kitfile, files=[bytes_entry("model.bin", text.encode())])

    @task
    def show(reference):
        return reference

    show(train())
""",
        DAGS,
    )

    done = run(module, "taskflow_tree")

    pinned = str(kitline.resolve(f"{connected.host}/team/tree:v1"))
    assert done.state == "success"
    assert xcom(done, "train") == xcom(done, "show") == pinned


def test_a_deferrable_sensor_waits_in_the_trigger_and_hands_on_the_reference(
    connected: LocalRegistry, model: Path
) -> None:
    module = write_dag(
        "wait_for_kit",
        HEAD
        + """
with DAG("wait_for_kit", schedule=None, start_date=start) as dag:
    found = ModelKitSensor(
        task_id="wait", reference="team/iris:late", deferrable=True, poke_interval=0.2, timeout=60
    )
    ModelKitTagOperator(task_id="tag", reference=found.output, tag="seen")
""",
        DAGS,
    )

    def push_when_asked_for() -> None:
        while connected.count("HEAD", "/manifests/late") < 2:
            time.sleep(0.05)
        kitline.pack(model, f"{connected.host}/team/iris:late")

    thread = threading.Thread(target=push_when_asked_for)
    thread.start()
    done = run(module, "wait_for_kit")
    thread.join()

    pinned = str(kitline.resolve(f"{connected.host}/team/iris:late"))
    assert done.state == "success"
    assert xcom(done, "wait") == pinned
    assert str(kitline.resolve(f"{connected.host}/team/iris:seen")) == pinned


def test_a_push_inside_of_any_task_is_told_to_its_xcom_and_outlets(
    connected: LocalRegistry, model: Path
) -> None:
    module = write_dag(
        "plain_task",
        HEAD
        + f"""
import kitline
asset = modelkit_asset("{connected.host}/team/plain")

with DAG("plain_task", schedule=None, start_date=start) as dag:
    @task(outlets=[asset])
    def pack_and_promote():
        hook = ModelKitHook()
        kit = kitline.pack("{model}", hook.locate("team/plain:v1"), settings=hook.settings())
        assert [each.target for each in kit.write_backs if each.plugin == "airflow"], kit
        kitline.promote(kit.reference, "production", settings=hook.settings())

    pack_and_promote()
""",
        DAGS,
    )

    done = run(module, "plain_task")

    digest = str(kitline.resolve(f"{connected.host}/team/plain:v1").digest)
    assert done.state == "success"
    assert xcom(done, "pack_and_promote", "digest") == digest
    assert xcom(done, "pack_and_promote", "receipt")["digest"] == digest


@airflow_3
def test_two_digests_of_one_outlet_have_two_keys_and_the_same_one_none(
    connected: LocalRegistry, model: Path
) -> None:
    module = write_dag(
        "by_digest",
        HEAD
        + f"""
asset = modelkit_asset("{connected.host}/team/keys")
with DAG("by_digest", schedule=None, start_date=start, params={{"emit": "changed"}}) as dag:
    ModelKitPushOperator(
        task_id="push", folder="{model}", to="team/keys:v1", outlets=[asset],
        partition_by_digest=True,
    )
with DAG("by_digest_always", schedule=None, start_date=start) as always:
    ModelKitPushOperator(
        task_id="push", folder="{model}", to="team/keys:v1", outlets=[asset],
        partition_by_digest=True, emit="always",
    )
""",
        DAGS,
    )

    digests = []
    for content in (b"one", b"one", b"two", b"one"):
        (model / "model.bin").write_bytes(content)
        digests.append(xcom(run(module, "by_digest"), "push", "digest"))
    run(module, "by_digest_always")

    keys = [each.partition_key for each in asset_events(f"modelkit://{connected.host}/team/keys")]
    one, two = digests[0], digests[2]
    assert keys == [one, None, two, one, one]


@airflow_3
def test_openlineage_events_of_a_run_have_the_digest_as_version(
    connected: LocalRegistry, model: Path
) -> None:
    module = write_dag(
        "lineage_run",
        HEAD
        + f"""
with DAG("lineage_run", schedule=None, start_date=start) as dag:
    ModelKitPushOperator(task_id="push", folder="{model}", to="team/lineage:v1")
""",
        DAGS,
    )

    done = run(module, "lineage_run")

    digest = xcom(done, "push", "digest")
    said = [json.loads(line) for line in (HOME / "lineage.json").read_text().splitlines()]
    versions = [
        output["facets"]["version"]["datasetVersion"]
        for each in said
        for output in each.get("outputs", ())
        if output["name"] == "team/lineage"
    ]
    assert versions == [digest]


def test_a_digest_that_another_run_handled_is_skipped(
    connected: LocalRegistry, model: Path
) -> None:
    kitline.pack(model, f"{connected.host}/team/iris:v1")
    module = write_dag(
        "once_each",
        HEAD
        + """
with DAG("once_each", schedule=None, start_date=start) as dag:
    new = ModelKitNewDigestOperator(task_id="new", reference="team/iris:v1")

    @task
    def deploy(reference):
        return reference

    deploy(new.output)
""",
        DAGS,
    )

    first = xcom(run(module, "once_each"), "deploy")
    second = xcom(run(module, "once_each"), "deploy")
    (model / "model.bin").write_bytes(b"better weights")
    moved = kitline.pack(model, f"{connected.host}/team/iris:v1")
    third = xcom(run(module, "once_each"), "deploy")

    assert first is not None
    assert second is None
    assert third == str(moved)
