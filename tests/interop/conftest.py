"""The peers and registries that interop tests use; each test has its own stores."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from harness.programs import Kit, Kitline, need_program, run
from harness.registries import KINDS, Registry, serve
from kitline.testing.environment import clean_environment
from kitline.testing.trees import SMALL_KIT, read_tree, write_tree

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small folder with a Kitfile and four drawers."""
    return write_tree(tmp_path / "tree", SMALL_KIT)


@pytest.fixture
def read_files() -> Callable[[Path], dict[str, bytes]]:
    """Reads the content of every file below a folder, the Kitfile aside."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path: content
            for path, content in read_tree(folder).items()
            if content is not None and path != "Kitfile"
        }

    return read


@pytest.fixture
def tree_files(tree: Path, read_files: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    """What unpacking the kit of `tree` has to give, the Kitfile aside."""
    return read_files(tree)


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


@pytest.fixture(params=list(KINDS))
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
