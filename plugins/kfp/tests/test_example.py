"""The example runs from its first line to its last, in processes of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

EXAMPLE = Path(__file__).parents[3] / "examples/kfp/iris.py"
pytestmark = [
    pytest.mark.slow,  # some twenty processes, most of which import scikit-learn
    pytest.mark.timeout(900),
]


def run_example(registry: str = "") -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLE],
        env={**os.environ, "REGISTRY": registry},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_one_digest_goes_from_the_data_to_the_check_before_deployment(
    local_registry: LocalRegistry,
) -> None:
    digests = set()
    for registry in ("", f"{local_registry.host}/me"):
        said = run_example(registry)
        summary = said.partition("the model's digest, wherever it is written:")[2]
        found = re.findall(r"^  [a-z0-9 ]+?\s+(sha256:[0-9a-f]{64})$", summary, re.MULTILINE)
        assert len(found) == 6
        digests |= set(found)
        assert "the answer of the model   class 0" in summary
        skipped = re.search(r"skipped in the second run (.*)", summary)
        assert skipped
        assert skipped[1] == "make-data, train"
        assert "[data]" in summary
    assert len(digests) == 1  # the same model, in the local store and in a registry
