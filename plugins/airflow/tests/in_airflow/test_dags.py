"""DAGs with our operators, serialised and run whole in this process."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import kitline_airflow
import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow_home import DAGS, HOME
from contexts import airflow_3, make_context
from dags import asset_events, run, write_dag, xcom
from kitline.testing import Fault

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

pytestmark = pytest.mark.usefixtures("database")

HEAD = """
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG, task
from kitline_airflow import *
start = datetime(2026, 1, 1, tzinfo=UTC)
"""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ModelKitAttestOperator": {"reference": "r", "type": "evaluation", "predicate": {"a": 1}},
    "ModelKitExportOperator": {"reference": "r", "target": "mlflow", "options": {"register": "x"}},
    "ModelKitImportOperator": {"source": "mlflow://runs/1", "to": "team/iris:v1"},
    "MLflowToModelKitOperator": {"run_id": "1", "to": "team/iris:v1"},
    "DVCToModelKitOperator": {"path": "data", "rev": "v1", "to": "team/data:v1"},
    "KFPToModelKitOperator": {"run_folder": "/run", "to": "team/iris:v1"},
    "ModelKitNewDigestOperator": {"reference": "r"},
    "ModelKitPackOperator": {"folder": "model", "to": "team/iris:v1"},
    "ModelKitPromoteOperator": {"reference": "r", "stage": "production", "require": ["signed"]},
    "ModelKitPullOperator": {"repository": "team/iris", "digest": "d", "folder": "x"},
    "ModelKitPushOperator": {"folder": "model", "to": "team/iris:v1", "parents": ["r"]},
    "ModelKitRollbackOperator": {"repository": "team/iris", "stage": "production"},
    "ModelKitTagOperator": {"reference": "r", "tag": "candidate"},
    "ModelKitVerifyOperator": {"reference": "r", "key": "k.pub"},
    "ModelKitSensor": {"reference": "team/iris:v1", "deferrable": True},
}


def test_there_are_arguments_for_every_operator() -> None:
    named = {name for name in kitline_airflow.__all__ if name.endswith(("Operator", "Sensor"))}

    assert set(ARGUMENTS) == named


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_operator_is_serialised_with_its_template_fields_and_link(name: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("d", schedule=None, start_date=start) as dag:
        task = getattr(kitline_airflow, name)(task_id="t", **ARGUMENTS[name])

    text = json.dumps(serialise(dag))

    assert f'"{name}"' in text
    assert "_link_ModelKitLink" in text or "ModelKitLink" in text
    assert "modelkit_conn_id" in task.template_fields
    assert set(ARGUMENTS[name]) - {"deferrable"} <= set(task.template_fields), "all are rendered"


def serialise(dag: Any) -> Any:
    """Return a DAG as Airflow keeps it."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:  # Airflow 2
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    return Serialization.to_dict(dag)


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


def test_taskflow_says_what_to_return() -> None:
    from kitline_airflow.decorators import _ModelKitDecoratedOperator

    operator = _ModelKitDecoratedOperator(
        task_id="t", python_callable=lambda: 3, op_args=[], op_kwargs={}, to="team/iris:v1"
    )

    with pytest.raises(TypeError, match="returned int; return a folder or a KitTree"):
        operator.execute(make_context())


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_another_interpreter_does_the_same_and_knows_the_run(
    connected: LocalRegistry, model: Path
) -> None:
    from kitline_airflow import ModelKitPushOperator

    pinned = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", python=sys.executable
    ).execute(make_context())

    assert pinned == str(kitline.resolve(f"{connected.host}/team/iris:v1"))
    statements = kitline.inspect(pinned).statements
    assert '"dag": "train"' in json.dumps([dict(each.predicate or {}) for each in statements])


def test_another_interpreter_gets_the_connections_credentials(connect: Any, model: Path) -> None:
    from kitline.testing import BasicAuth, LocalRegistry
    from kitline_airflow import ModelKitPushOperator

    with LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as registry:
        connect(registry.host, login="ann", password="s3cret")

        pinned = ModelKitPushOperator(
            task_id="push", folder=str(model), to="team/iris:v1", python=sys.executable
        ).execute(make_context())

    assert pinned.startswith(f"{registry.host}/team/iris@sha256:")


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("/nowhere/python", "name the interpreter of an environment with kitline in it"),
        ("/bin/true", "gave no answer"),
    ],
)
def test_another_interpreter_that_is_none_says_so(
    connected: LocalRegistry, model: Path, python: str, message: str
) -> None:
    from airflow.providers.common.compat.sdk import AirflowException
    from kitline_airflow import ModelKitPushOperator

    with pytest.raises(AirflowException, match=message):
        ModelKitPushOperator(
            task_id="push", folder=str(model), to="team/iris:v1", python=python
        ).execute(make_context())


def test_errors_of_another_interpreter_are_final_where_they_are_here(
    connected: LocalRegistry, model: Path
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException
    from kitline_airflow import ModelKitTagOperator

    with pytest.raises(AirflowFailException, match="v9"):
        ModelKitTagOperator(
            task_id="tag", reference="team/iris:v9", tag="x", python=sys.executable
        ).execute(make_context())


def test_on_kill_ends_another_interpreter_and_what_it_started(
    connected: LocalRegistry, model: Path
) -> None:
    from airflow.providers.common.compat.sdk import AirflowException
    from kitline_airflow import ModelKitPushOperator

    connected.inject(Fault.stall(seconds=60, methods=("POST",), times=None))
    operator = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", python=sys.executable
    )
    pids: list[int] = []

    def end() -> None:
        while getattr(operator, "_elsewhere", None) is None or not operator._elsewhere.pid:
            time.sleep(0.05)
        pids.append(operator._elsewhere.pid)
        time.sleep(1)
        operator.on_kill()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(AirflowException, match="was ended"):
        operator.execute(make_context())
    thread.join()

    assert not Path(f"/proc/{pids[0]}").exists()
    connected.faults.clear()
    assert kitline.resolve(f"{connected.host}/team/iris:v1") is None
