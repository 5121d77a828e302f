"""What operators log: progress in lines, and no secret.

`airflow dags test` masks nothing; that Airflow does elsewhere is tested in `test_scheduler.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow_home import DAGS
from kitline.testing import BasicAuth, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("database")]
SECRET = "s3cret-of-ann"


@pytest.mark.parametrize("python", [None, sys.executable], ids=["here", "elsewhere"])
def test_a_task_log_has_progress_and_no_secret(
    connect: Callable[..., None], model: Path, python: str | None
) -> None:
    (DAGS / "logged.py").write_text(f"""
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG
from kitline_airflow import *

with DAG("logged", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    ModelKitPushOperator(
        task_id="push", folder={str(model)!r}, to="team/iris:v1", python={python!r}
    )
""")
    with LocalRegistry(auth=BasicAuth(username="ann", password=SECRET)) as registry:
        connect(registry.host, login="ann", password=SECRET)

        log = run_logged("logged")

    assert SECRET not in log
    for name in ("model.bin", "train.csv"):
        assert [line for line in log.splitlines() if name in line and "pushed" in line], log[-5000:]


def run_logged(dag: str) -> str:
    """Run `airflow dags test` and return all that it and its tasks logged."""
    environment: dict[str, Any] = {
        **os.environ,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", dag],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout + done.stderr
