"""The same suite on Airflow 2.11, in an environment of its own made from our constraints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ENVIRONMENT = ROOT / ".venv" / "airflow-2.11"
"""Below a folder that git ignores; it is made once."""


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def python() -> Path:
    found = ENVIRONMENT / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    constraints = HERE.parent / "constraints-2.11.txt"
    stamp = ENVIRONMENT / "made-from"
    wanted = constraints.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return found
    made = run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT)
    assert made.returncode == 0, made.stderr
    done = run(
        uv, "pip", "install", "--quiet", "--python", found, "--constraint", constraints,
        "--editable", f"{ROOT}/core[signing]", "--editable", HERE.parent,
        "apache-airflow", "apache-airflow-providers-standard",
        "apache-airflow-providers-openlineage", "pytest", "pytest-timeout", "jsonschema",
    )  # fmt: skip
    if done.returncode != 0 and any(
        words in done.stderr for words in ("dns error", "error sending request", "connect")
    ):
        pytest.skip("the package index cannot be reached, and Airflow 2.11 is not installed")
    assert done.returncode == 0, done.stderr
    stamp.write_text(wanted)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_suite_holds_on_airflow_2(python: Path) -> None:
    version = run(
        python, "-c", "import importlib.metadata as m; print(m.version('apache-airflow'))"
    )
    assert version.stdout.startswith("2.11."), version.stderr

    done = run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "in_airflow",
        KITLINE_IN_AIRFLOW="1", PYTEST_ADDOPTS="",
        TOOLS_PYTHON=sys.executable,  # MLflow, DVC and KFP are not beside Airflow 2
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout
