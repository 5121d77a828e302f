"""The oldest DVC that is allowed: what reads and writes its inside works there too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OLDEST = (
    "dvc==3.60.0",
    "pathspec<0.13",  # what DVC 3.60 was made for; it says no upper limit
)
ASPECTS = (
    "clones", "errors", "exporter", "foreign", "gto_tag", "identity", "importer",
    "imports_of_others", "inside", "partitions", "stage", "stages", "status", "verify",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quick_tests_pass_with_the_oldest_dvc(tmp_path: Path) -> None:
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    tools = ("pytest>=9", "pytest-timeout", "hypothesis", "pyyaml", "asyncssh")
    subprocess.run(
        [*pip, f"{ROOT / 'core'}[signing]", ROOT / "plugins/dvc", *OLDEST, *tools], check=True
    )
    files = [f"plugins/dvc/tests/test_{each}.py" for each in ASPECTS]
    done = subprocess.run(
        [
            python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
            "-m", "not slow and not peer and not registry",
            "-W", "ignore::DeprecationWarning",  # of what DVC stood on then
            *files,
        ],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
