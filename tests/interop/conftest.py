"""The peers and registries that interop tests use; each test has its own stores."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from harness.programs import Kit, Kitline, clean_environment, need_program, run
from harness.registries import KINDS, Registry, serve

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

KITFILE = """\
manifestVersion: "1.0.0"
package: {name: iris, version: 1.0.0, authors: [Ada]}
model: {name: classifier, path: model/weights.bin, framework: sklearn, parameters: {depth: 3}}
datasets:
- {name: train, path: data/train.csv}
code:
- {path: src}
docs:
- {path: README.md}
"""
FILES = {
    "model/weights.bin": b"weights" * 5000,
    "data/train.csv": b"a,b\n1,2\n",
    "src/train.py": b"print('hello')\n",
    "src/deep/er/x.py": b"",
    "README.md": "# Größe\n".encode(),
}


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Create files with their folders, modes as under umask 022."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of every file but the Kitfile, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "Kitfile"
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small folder with a Kitfile and four drawers."""
    folder = tmp_path / "tree"
    write_files(folder, FILES)
    (folder / "Kitfile").write_text(KITFILE)
    return folder


@pytest.fixture
def tree_files() -> dict[str, bytes]:
    """What unpacking the kit of `tree` has to give, Kitfile aside."""
    return FILES


@pytest.fixture
def read_files() -> Callable[[Path], dict[str, bytes]]:
    """Reads a folder as `tree_files` is written."""
    return files_below


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The real kit with an empty store."""
    home = tmp_path / "kit-home"
    home.mkdir()
    return Kit(program=need_program("kit"), home=home)


@pytest.fixture
def kitline(tmp_path: Path) -> Kitline:
    """The kitline command with an empty store."""
    home = tmp_path / "kitline-home"
    home.mkdir()
    return Kitline(home=home)


@pytest.fixture
def other_kitline(tmp_path: Path) -> Kitline:
    """Kitline on another machine: nothing shared with `kitline`."""
    home = tmp_path / "other-home"
    home.mkdir()
    return Kitline(home=home)


@pytest.fixture
def peer(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs any other peer by name, in an environment without credentials."""
    home = tmp_path / "peer-home"
    home.mkdir()
    env = clean_environment(home)

    def run_peer(
        name: str, *args: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return run(need_program(name), *args, env=env, check=check)

    return run_peer


@pytest.fixture(scope="session")
def start_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Registry]]:
    """Starts a registry of a kind on first use and keeps it for the session."""
    with ExitStack() as running:

        @functools.cache
        def start(kind: str) -> Registry:
            return running.enter_context(serve(kind, tmp_path_factory.mktemp(kind)))

        yield start


@pytest.fixture(params=KINDS)
def registry(request: pytest.FixtureRequest, start_registry: Callable[[str], Registry]) -> Registry:
    """Each of the three registries that every release has to work with, in turn."""
    return start_registry(request.param)


@pytest.fixture
def distribution(start_registry: Callable[[str], Registry]) -> Registry:
    """Distribution 3, where it does not matter which registry it is."""
    return start_registry("distribution")


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository name of the test's own, for the registries that tests share."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in request.node.name.lower())
    return "t/" + "-".join(filter(None, letters.split("-")))
