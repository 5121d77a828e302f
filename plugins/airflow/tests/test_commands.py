"""What people type: `airflow providers …` and `airflow dags test`, with nothing but loopback."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.testing import LocalRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_process import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", name="airflow")
def _airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Return a home with a database, for all tests of this module."""
    from airflow_process import Airflow

    made = Airflow.make(tmp_path_factory.mktemp("airflow") / "home")
    made.run("db", "migrate")
    return made


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("list",), "kitline-airflow"),
        (("hooks",), "kitline_airflow.hooks.ModelKitHook"),
        (("links",), "kitline_airflow.links.ModelKitLink"),
        (("triggers",), "kitline_airflow.triggers"),
        (("widgets",), "extra__modelkit__ca_file"),
        (("notifications",), "kitline_airflow.notifier.ModelKitNotifier"),
    ],
)
def test_airflow_shows_the_provider(airflow: Airflow, words: tuple[str, ...], shown: str) -> None:
    assert shown in airflow.run("providers", *words, "--output", "plain")


def test_the_examples_pass_as_people_run_them_and_every_place_has_one_digest(
    airflow: Airflow, tmp_path: Path
) -> None:
    from airflow_process import EXAMPLES

    for each in EXAMPLES.glob("*.py"):
        (airflow.dags / each.name).write_text(each.read_text())
    with LocalRegistry() as registry:
        given = {"MODELKIT_REGISTRY": registry.host, "MODELKIT_WORK": str(tmp_path)}
        repository = f"{registry.host}/team/iris"

        def test(dag: str, **conf: str) -> None:
            airflow.run("dags", "test", dag, "-c", json.dumps(conf), environment=given)

        test("train_and_push", version="v1")
        first = kitline.resolve(f"{repository}:v1")
        assert first is not None
        test("promote_on_event", reference=str(first))
        test("promote_to_production")
        folder = tmp_path / "better"
        folder.mkdir()
        (folder / "model.json").write_text("{}")
        better = kitline.pack(folder, f"{repository}:v2").reference
        test("promote_to_production", reference=str(better))
        test("deploy_by_digest", reference=f"{repository}@{better.digest}")
        test("roll_back", reason="wrong predictions since noon")

        assert kitline.resolve(f"{repository}:staging") == first
        assert kitline.resolve(f"{repository}:production") == first
        history = kitline.stage_history(repository, "production")
    good, new = str(first.digest), str(better.digest)
    assert [(each.action, str(each.kit)) for each in history] == [
        ("promote", good),
        ("promote", new),
        ("rollback", good),
    ]
    assert told(airflow, "train_and_push", "train") == [(str(first), good, good)]
    assert told(airflow, "promote_on_event", "promote") == [(str(first), good, good)]
    assert told(airflow, "promote_to_production", "promote") == [
        (str(first), good, good),
        (str(better), new, new),
    ]
    assert told(airflow, "roll_back", "roll_back") == [(str(first), good, good)]
    assert told(airflow, "deploy_by_digest", "deploy") == [(str(better), None, None)]
    assert events(airflow, f"modelkit://{repository}") == [(good, None)]
    assert events(airflow, f"modelkit://{repository}?stage=staging") == [(good, None)]
    assert events(airflow, f"modelkit://{repository}?stage=production") == [
        (good, f"production:1:{good}"),
        (new, f"production:2:{new}"),
        (good, f"production:3:{good}"),
    ]


def told(airflow: Airflow, dag: str, task: str) -> list[tuple[Any, Any, Any]]:
    """Return what a task handed on in each run: reference, digest, and the receipt's digest."""
    runs: dict[int, dict[str, Any]] = {}
    rows = query(
        airflow,
        "select dag_run_id, key, value from xcom where dag_id = ? and task_id = ?"
        " order by dag_run_id",
        dag,
        task,
    )
    for run, key, value in rows:
        runs.setdefault(run, {})[key] = json.loads(value) if isinstance(value, str) else value
    return [
        (each["return_value"], each.get("digest"), plain(each.get("receipt")).get("digest"))
        for each in runs.values()
    ]


def plain(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return dict(found or {})


def events(airflow: Airflow, uri: str) -> list[tuple[str, str | None]]:
    """Return digest and partition key of the events of an asset, oldest first."""
    rows = query(
        airflow,
        "select asset_event.extra, partition_key from asset_event join asset"
        " on asset.id = asset_event.asset_id where uri = ? order by asset_event.id",
        uri,
    )
    return [(plain(extra)["digest"], key) for extra, key in rows]


def query(airflow: Airflow, statement: str, *values: str) -> list[Any]:
    """Ask Airflow's database."""
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        return database.execute(statement, values).fetchall()


def test_a_task_that_fails_makes_the_command_fail(airflow: Airflow) -> None:
    (airflow.dags / "fails.py").write_text(
        "from datetime import UTC, datetime\n"
        "from airflow.sdk import DAG\n"
        "from kitline_airflow import ModelKitTagOperator\n"
        "with DAG('fails', schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):\n"
        "    ModelKitTagOperator(task_id='t', reference='127.0.0.1:1/team/iris:v1', tag='x')\n"
    )

    airflow.run("dags", "test", "fails", code=1)


def test_without_kitline_the_other_dags_of_the_folder_are_parsed(
    airflow: Airflow, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    head = "from datetime import UTC, datetime\nfrom airflow.sdk import DAG\n"
    dag = "with DAG({!r}, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)): pass\n"
    (dags / "other.py").write_text(head + dag.format("other"))
    (dags / "ours.py").write_text(
        head + "from kitline_airflow import ModelKitPushOperator\n" + dag.format("ours")
    )
    gone = (
        "import importlib.metadata, sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'kitline':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(dags)!r})\n"
        "assert list(bag.dags) == ['other'], bag.dags\n"
        "assert len(bag.import_errors) == 1, bag.import_errors\n"
        "(said,) = bag.import_errors.values()\n"
        "assert 'No module named' in said and 'kitline' in said, said\n"
    )

    done = subprocess.run(
        [airflow.python, "-c", gone],
        env=airflow.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]


def test_importing_the_operators_loads_no_tool_opens_no_socket_and_scans_nothing(
    airflow: Airflow,
) -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator\n"
        "from airflow.providers.common.compat.sdk import XCom, Variable, BaseHook\n"
        "import importlib.metadata\n"
        "before = set(sys.modules)\n"
        "def refuse(event, arguments):\n"
        "    if event.startswith('socket.'):\n"
        "        raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "def scan(*arguments, **named):\n"
        "    raise SystemExit('entry points were scanned')\n"
        "importlib.metadata.entry_points = scan\n"
        "importlib.metadata.distributions = scan\n"
        "import kitline_airflow.operators, kitline_airflow.sensors\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "heavy = new & {'mlflow', 'dvc', 'kfp', 'oras', 'sklearn', 'pandas', 'openlineage'}\n"
        "assert not heavy, heavy\n"
        "ours = {name for name in set(sys.modules) - before}\n"
        "assert not {each for each in ours if each.startswith('kitline.store.registry')}\n"
        "print(len(ours))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=airflow.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    # few and small: what they cost is measured by benchmarks, not asserted on a shared machine
    assert int(done.stdout) < 70
