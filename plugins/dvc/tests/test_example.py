"""The example runs from its first line to its last, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples/dvc/wine.py"


@pytest.mark.slow  # some twenty processes, each of which imports DVC or kitline
@pytest.mark.timeout(900)  # minutes on a machine that does other things besides
def test_the_example_goes_from_dvc_to_a_digest_and_back() -> None:
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "the same digest: same content, same name" in done.stdout
    assert "accuracy              1.000" in done.stdout
    assert "dvc status            Data and pipelines are up to date." in done.stdout
    assert "dvc repro, again      Data and pipelines are up to date." in done.stdout
    assert "exit code             3" in done.stdout
    assert "data/kit   current" in done.stdout
    assert "data/wine  stale" in done.stdout
