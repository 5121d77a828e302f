"""A real scheduler and triggerer: each move gives its runs, with the right digests, once.

The registry takes a secret that the connection holds; logs of tasks and triggers have it nowhere.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.testing import BasicAuth, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from airflow_process import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
PATIENCE = 600
SECRET = "s3cret-of-ann"
DAGS = """
import json, os
from datetime import UTC, datetime
from airflow.sdk import DAG, PartitionedAssetTimetable, task
from kitline_airflow import *

REGISTRY, OUT, MODELS = os.environ["REGISTRY"], os.environ["OUT"], os.environ["MODELS"]
LATEST = watch_tag(f"{REGISTRY}/team/iris:latest", interval=2)
PRODUCTION = watch_stage(f"{REGISTRY}/team/iris", "production", interval=2, replay="all")
BY_MOVE = modelkit_asset(f"{REGISTRY}/team/iris", stage="by-move")
TWO = modelkit_asset(f"{REGISTRY}/team/two")
fixed = {"start_date": datetime(2026, 1, 1, tzinfo=UTC), "catchup": False}

def note(dag, **said):
    with open(OUT, "a") as file:
        file.write(json.dumps({"dag": dag, **said}) + "\\n")

with DAG("on_tag", schedule=[LATEST], **fixed):
    @task
    def look(**context):
        for kit in kit_events(context):
            note("on_tag", digest=kit.digest)
        print("the secret is", ModelKitHook().access.password)
    look()

with DAG("relay", schedule=[PRODUCTION], **fixed):
    @task(outlets=[BY_MOVE])
    def relay(**context):
        relay_partitions(context, BY_MOVE)
    relay()

with DAG("by_move", schedule=PartitionedAssetTimetable(assets=BY_MOVE), **fixed):
    @task
    def deploy(**context):
        kit = partition_kit(context, f"{REGISTRY}/team/iris")
        note("by_move", digest=kit.digest, stage=kit.stage, seq=kit.seq)
    deploy()

with DAG("push_two", schedule=None, **fixed):
    for name in ("one", "two"):
        ModelKitPushOperator(
            task_id=name, folder=f"{MODELS}/{name}", to=f"{REGISTRY}/team/two:{name}",
            outlets=[TWO], partition_by_digest=True,
        )

with DAG("deferred", schedule=None, **fixed):
    late = ModelKitSensor(
        task_id="wait", reference=f"{REGISTRY}/team/late:v1", deferrable=True, poke_interval=2,
    )
    @task
    def go_on(reference):
        note("deferred", reference=reference)
    go_on(late.output)

with DAG("by_digest", schedule=PartitionedAssetTimetable(assets=TWO), **fixed):
    @task
    def use(**context):
        note("by_digest", digest=partition_kit(context, f"{REGISTRY}/team/two").digest)
    use()
"""


def running(
    airflow: Airflow, environment: dict[str, str], *words: str
) -> AbstractContextManager[None]:
    """Run a part of Airflow, and end it with all that it started."""
    from airflow_process import running

    command = [airflow.python, "-m", "airflow", *words]
    log = airflow.home / f"{words[0]}.log"
    return running(command, log, airflow.environment(**environment), folder=airflow.home)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def logged(airflow: Airflow, *parts: str) -> str:
    """Return all logs whose path below Airflow's folder of logs contains these parts."""
    folder = airflow.home / "logs"
    files = [each for each in folder.rglob("*.log") if all(part in str(each) for part in parts)]
    return "\n".join(each.read_text() for each in files)


def test_each_move_has_its_runs_and_no_restart_repeats_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_process import Airflow

    airflow, out = Airflow.make(tmp_path / "home"), tmp_path / "out"
    (airflow.dags / "moves.py").write_text(DAGS)
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_text(name)
    port = free_port()

    def seen(dag: str) -> list[dict[str, Any]]:
        lines = out.read_text().splitlines() if out.exists() else []
        return [each for each in map(json.loads, lines) if each["dag"] == dag]

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                logs = {each.name: each.read_text()[-3000:] for each in airflow.home.glob("*.log")}
                raise AssertionError(f"{out.read_text() if out.exists() else ''}\n{logs}")
            time.sleep(0.5)

    auth = BasicAuth(username="ann", password=SECRET)
    with LocalRegistry(auth=auth) as registry, ExitStack() as stack:
        for name, value in {
            "USERNAME": "ann",
            "PASSWORD": SECRET,
            "CREDENTIALS_REGISTRY": registry.host,
        }.items():
            monkeypatch.setenv(f"KITLINE_{name}", value)  # for this process, not for Airflow
        host, _, registry_port = registry.host.partition(":")
        connection = {
            "conn_type": "modelkit",
            "host": host,
            "port": int(registry_port),
            "login": "ann",
            "password": SECRET,
        }
        given = {
            "AIRFLOW_CONN_MODELKIT_DEFAULT": json.dumps(connection),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "REGISTRY": registry.host,
            "OUT": str(out),
            "MODELS": str(tmp_path),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API_AUTH__JWT_SECRET": "for this test alone, and long enough for sha512 " * 2,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        }
        airflow.run("db", "migrate", environment=given)
        serve = ("api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        stack.enter_context(running(airflow, given, *serve))
        stack.enter_context(running(airflow, given, "dag-processor"))
        repository = f"{registry.host}/team/iris"
        one, two, three = (
            kitline.pack(tmp_path / name, f"{repository}:{name}")
            for name in ("one", "two", "three")
        )

        with (
            running(airflow, given, "scheduler", "--skip-serve-logs"),
            running(airflow, given, "triggerer", "--skip-serve-logs"),
        ):
            for kit, count in ((one, 1), (two, 2)):  # two pushes to a tag
                kitline.tag(kit.reference, "latest")
                wait(lambda count=count: len(seen("on_tag")) == count)  # type: ignore[misc]
            airflow.run("dags", "trigger", "push_two", environment=given)  # two digests at once
            kitline.promote(one.reference, "production")
            kitline.promote(two.reference, "production")
            kitline.rollback(repository, "production")
            airflow.run("dags", "trigger", "deferred", environment=given)
            wait(lambda: len(seen("by_digest")) == 2 and len(seen("by_move")) == 3)
            wait(lambda: registry.count("HEAD", "/team/late/manifests/v1") >= 3)  # it is deferred

        with (  # after a restart
            running(airflow, given, "scheduler", "--skip-serve-logs"),
            running(airflow, given, "triggerer", "--skip-serve-logs"),
        ):
            kitline.tag(three.reference, "latest")
            kitline.promote(three.reference, "production")
            late = kitline.pack(tmp_path / "one", f"{registry.host}/team/late:v1")
            wait(lambda: len(seen("on_tag")) >= 3 and len(seen("by_move")) >= 4)
            wait(lambda: len(seen("deferred")) >= 1)  # deferral survives the restart

    assert [each["digest"] for each in seen("on_tag")] == [
        str(each.digest) for each in (one, two, three)
    ]
    assert {each["digest"] for each in seen("by_digest")} == {str(one.digest), str(two.digest)}
    moves = sorted(seen("by_move"), key=lambda each: each["seq"])
    assert [(each["seq"], each["digest"]) for each in moves] == [
        (1, str(one.digest)),
        (2, str(two.digest)),
        (3, str(one.digest)),
        (4, str(three.digest)),
    ]
    assert [each["reference"] for each in seen("deferred")] == [str(late)]
    assert {each["stage"] for each in moves} == {"production"}
    assert "the secret is ***" in logged(airflow, "dag_id=on_tag")
    assert "model.bin: pushed" in logged(airflow, "dag_id=push_two", "task_id=one")
    assert SECRET not in logged(airflow)
    processes = "\n".join(each.read_text() for each in airflow.home.glob("*.log"))
    # a scheduler with local executor repeats what tasks print on its own console, unmasked
    said = [line for line in processes.splitlines() if SECRET in line]
    assert all("[task.stdout]" in line for line in said), said
