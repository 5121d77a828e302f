"""Airflow without a server: a process that runs a DAG whenever it is asked, as `dags test` does.

One process for all runs, since Airflow takes seconds to start; it starts while other things happen.
A line that it reads is `{"dag": …, "params": {…}}`; one that it answers has XComs and asset events.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from surroundings import Workplace, show


class Airflow:
    """The process, seen from outside."""

    def __init__(self, process: "subprocess.Popen[str]", work: Workplace) -> None:
        self._process = process
        self._log = work.log

    @classmethod
    @contextmanager
    def start(cls, work: Workplace) -> Iterator["Airflow"]:
        """Start it, until the block ends."""
        with (
            work.log.open("ab") as log,
            subprocess.Popen(
                [sys.executable, str(Path(__file__).resolve())],
                cwd=work.repository,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            yield cls(process, work)

    def run(self, dag: str, **params: str) -> dict[str, Any]:
        """Run a DAG to its end; return its XComs and the events of assets."""
        show(f"airflow: {dag} {json.dumps(params)}")
        print(json.dumps({"dag": dag, "params": params}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        found: dict[str, Any] = json.loads(answer) if answer else {"state": "not run"}
        if found["state"] != "success":
            raise SystemExit(f"DAG {dag!r} ended as {found['state']!r}; see {self._log}")
        return found


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Airflow prints goes to stderr

    from airflow.utils.db import initdb

    initdb()
    dags = load_dags(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], "promote_dag.py"))
    for line in sys.stdin:
        asked = json.loads(line)
        answer = run(dags[asked["dag"]], asked["params"])
        print(json.dumps(answer), file=answers, flush=True)


def load_dags(file: Path) -> dict[str, Any]:
    """Return the DAGs of a file by their ids."""
    from airflow.sdk import DAG

    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {each.dag_id: each for each in vars(module).values() if isinstance(each, DAG)}


def run(dag: Any, params: dict[str, str]) -> dict[str, Any]:
    """Run a DAG to its end, and read from Airflow's database what its tasks handed on."""
    from airflow.models.asset import AssetEvent
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    done = dag.test(run_conf=params)
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id))
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == done.run_id))
        return {
            "state": done.state,
            "run": done.run_id,
            "xcoms": {f"{e.task_id}.{e.key}": XComModel.deserialize_value(e) for e in xcoms},
            "events": [each.extra for each in events],
        }


if __name__ == "__main__":
    main()
