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
TOOLS = ("airflow", "dvc", "kfp", "mlflow")
PROBE = """
import sys
from importlib.util import find_spec

for module in sys.argv[1:]:
    __import__(module)
tools = {name for name in ("mlflow", "kfp", "airflow", "dvc") if find_spec(name)}
print(*sorted(tools))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with what a user would install."""
    folder = tmp_path_factory.mktemp("install")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv/bin"
    places = ("core", "plugins/mlflow", "examples/plugin")
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

    found = {each["name"] for each in json.loads(listed)["plugins"]}
    assert {"mlflow", "example"} <= found
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


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    uv = Path(sys.executable).with_name("uv")
    for place in ("core", *(f"plugins/{tool}" for tool in TOOLS)):
        build: list[str | Path] = [
            uv,
            "build",
            "--quiet",
            "--wheel",
            "--out-dir",
            folder,
            ROOT / place,
        ]
        subprocess.run(build, check=True)
    return folder


@pytest.mark.parametrize("tools", [(), *((tool,) for tool in TOOLS), TOOLS], ids="+".join)
def test_wheels_alone_and_together_install_and_import_and_bring_no_other_tool(
    tools: tuple[str, ...], wheels: Path, tmp_path: Path
) -> None:
    uv = Path(sys.executable).with_name("uv")
    python = tmp_path / "venv/bin/python"
    names = ["kitline", *(f"kitline-{tool}" for tool in tools)]
    make: list[str | Path] = [uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"]
    subprocess.run(make, check=True)
    install: list[str | Path] = [
        uv, "pip", "install", "--quiet", "--python", python, "--find-links", wheels,
        "--constraint", ROOT / "constraints.txt", *names,
    ]  # fmt: skip
    subprocess.run(install, check=True)

    printed = subprocess.run(
        [python, "-W", "ignore", "-c", PROBE, *(name.replace("-", "_") for name in names)],
        cwd=tmp_path,
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert printed == sorted(tools)
