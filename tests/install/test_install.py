"""Plain pip installs kitline, its plugins and the example plugin where nothing was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.testing.environment import clean_environment
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with what a user would install."""
    folder = tmp_path_factory.mktemp("install")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv/bin"
    tools = ("airflow", "dvc", "kfp", "mlflow")
    places = ("core", *(f"plugins/{tool}" for tool in tools), "examples/plugin")
    distributions = [ROOT / name for name in places]
    pip: list[str | Path] = [
        programs / "python", "-m", "pip", "--quiet", "--disable-pip-version-check",
    ]  # fmt: skip
    pinned: list[str | Path] = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "install", *pinned, *distributions], check=True)
    return programs


@pytest.fixture
def run_kitline(environment: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs the installed command away from the repository."""

    def run(*args: str | Path) -> str:
        done = subprocess.run(
            [environment / "kitline", *args],
            cwd=tmp_path,
            env=clean_environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_installed_command_packs_and_unpacks(
    run_kitline: Callable[..., str], tmp_path: Path
) -> None:
    tree = write_tree(tmp_path / "tree", SMALL_KIT)

    pinned = run_kitline("pack", tree, "-t", "iris:v1").splitlines()[-1]
    run_kitline("unpack", pinned, "-d", "out")

    assert (tmp_path / "out/model/labels.txt").read_text() == SMALL_KIT["model/labels.txt"]


def test_installed_plugins_are_found_and_none_failed(run_kitline: Callable[..., str]) -> None:
    listed = run_kitline("plugins", "--json")

    assert {"airflow", "dvc", "kfp", "mlflow", "example"} <= {each["name"] for each in json.loads(listed)["plugins"]}
    assert "failed" not in listed


def test_the_wheel_tells_type_checkers_that_it_is_typed(environment: Path) -> None:
    where = subprocess.run(
        [environment / "python", "-c", "import kitline; print(kitline.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    assert (Path(where) / "py.typed").is_file()
    assert ROOT not in Path(where).parents
