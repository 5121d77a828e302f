"""The examples run as they are, without a server and with a registry; the page names real tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import pytest

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

    from conftest import Tracked

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "mlflow"
PAGE = ROOT / "docs" / "plugins" / "mlflow.md"


def run(program: Path, **variables: str) -> str:
    """Run a program in a process of its own, in the current folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_script(notebook: Path, folder: Path) -> Path:
    """Write the code of a notebook as a script that prints what its last cell shows."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    script = folder / "notebook.py"
    script.write_text("\n\n".join([*code, "print(accuracy, info.reference, metrics)"]), "utf-8")
    return script


@pytest.fixture
def database(template: Tracked) -> None:
    """Put the database that exists already where MLflow looks: making one takes seconds."""
    shutil.copy(template.uri.removeprefix("sqlite:///"), "mlflow.db")


@pytest.mark.usefixtures("database")
@pytest.mark.slow  # trains in a process of its own; the next two as well
def test_the_script_trains_logs_and_loads_without_a_server() -> None:
    lines = run(EXAMPLES / "train.py").splitlines()
    assert re.fullmatch(r"(9[0-9]|100)% of 45 wines recognised", lines[-2])
    parents = kitline.inspect(lines[-1]).to_json()["parents"]
    assert [each["digest"] for each in parents] == [str(kitline.inspect("wine-data:v1").digest)]


@pytest.mark.usefixtures("database")
@pytest.mark.slow  # as above
def test_the_script_shares_its_kit_where_kitline_registry_says(registry: LocalRegistry) -> None:
    pinned = run(EXAMPLES / "train.py", KITLINE_REGISTRY=f"{registry.host}/team").splitlines()[-1]
    assert pinned.startswith(f"{registry.host}/team/wine/wine@sha256:")
    assert kitline.inspect(pinned).to_json()["parents"] != []


@pytest.mark.usefixtures("database")
@pytest.mark.slow  # as above
def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    shown = run(as_script(EXAMPLES / "one_line.ipynb", tmp_path)).splitlines()[-1]
    accuracy, pinned, metrics = shown.split(" ", 2)
    assert float(accuracy) > 0.9
    assert pinned.startswith("wine-notebook/wine@sha256:")
    assert f"'accuracy': {accuracy}" in metrics


def test_the_code_of_the_examples_compiles(tmp_path: Path) -> None:
    for program in (EXAMPLES / "train.py", as_script(EXAMPLES / "one_line.ipynb", tmp_path)):
        compile(program.read_text("utf-8"), str(program), "exec")


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads((EXAMPLES / "one_line.ipynb").read_text("utf-8"))["cells"]
    assert [each["outputs"] for each in cells if each.get("outputs")] == []


def test_each_row_of_the_comparison_names_a_test_or_a_command() -> None:
    table = PAGE.read_text("utf-8").partition("## Beside other tools")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    shown_by = [row.rstrip(" |").rpartition("|")[2].strip(" `") for row in rows]
    tests = "\n".join(path.read_text("utf-8") for path in ROOT.glob("plugins/mlflow/tests/**/*.py"))
    assert len(rows) > 15
    assert [
        each
        for each in shown_by
        if not each.startswith(("kit ", "kitline ")) and f"def {each}(" not in tests
    ] == []
