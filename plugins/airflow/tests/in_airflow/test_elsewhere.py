"""Operators with `python=`: another interpreter does the work, and ends with the task."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from contexts import execute_and_kill, make_context
from kitline.testing import Fault

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry


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


@pytest.mark.slow  # the process has ten seconds to clean up
def test_on_kill_ends_another_interpreter_and_what_it_started(
    connected: LocalRegistry, model: Path
) -> None:
    from kitline_airflow import ModelKitPushOperator

    connected.inject(Fault.stall(seconds=60, methods=("POST",), times=None))
    operator = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", python=sys.executable
    )
    pids: list[int] = []

    def has_run_for_a_second() -> bool:
        if getattr(operator, "_elsewhere", None) is None or not operator._elsewhere.pid:
            return False
        pids.append(operator._elsewhere.pid)
        time.sleep(1)
        return True

    execute_and_kill(operator, has_run_for_a_second)

    assert not Path(f"/proc/{pids[0]}").exists()
    connected.faults.clear()
    assert kitline.resolve(f"{connected.host}/team/iris:v1") is None


def test_on_kill_ends_what_the_process_started_and_left_behind(
    connected: LocalRegistry, model: Path, tmp_path: Path
) -> None:
    from kitline_airflow import ModelKitPushOperator

    noted, python = tmp_path / "pid", tmp_path / "python"
    child = f'trap "" TERM; echo $$ > {noted}; while :; do sleep 0.1; done'
    python.write_text(f"#!/bin/sh\nsh -c '{child}' &\nwait\n")
    python.chmod(0o755)
    operator = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", python=str(python)
    )

    execute_and_kill(operator, lambda: noted.exists() and noted.read_text())

    pid = int(noted.read_text())
    while runs(pid):  # killed, but nobody says when an orphan is gone; the test's timeout does
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
