"""Everything that imports Airflow, in one child process with an Airflow home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(*words: str, timeout: int) -> str:
    """Run the suite in `in_airflow` and return what it said."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, str(HERE / "in_airflow"), *words],
        env={**os.environ, "KITLINE_IN_AIRFLOW": "1", "PYTEST_ADDOPTS": ""},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"
    return done.stdout


def test_everything_that_takes_airflow_holds() -> None:
    assert " passed" in run("-m", "not slow and not peer", timeout=280)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_takes_airflow_and_time_holds() -> None:
    assert " passed" in run("-m", "slow", timeout=880)
