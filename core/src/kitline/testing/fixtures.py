"""Fixtures to import in a `conftest.py`: a home of its own for each test, and registries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kitline.testing.environment import clean_environment, replace_environment
from kitline.testing.processes import (
    PeerMissing,
    RunningRegistry,
    distribution,
    docker_registry,
    olareg,
)
from kitline.testing.registry import LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@pytest.fixture(autouse=True)
def isolated_home(tmp_path: Path) -> Iterator[Path]:
    """A home folder for this test alone: no settings, credentials or proxies from outside."""
    before = dict(os.environ)
    home = tmp_path.with_name(tmp_path.name + "-home")
    home.mkdir()
    replace_environment(os.environ, clean_environment(home))
    yield home
    replace_environment(os.environ, before)


@pytest.fixture
def local_registry() -> Iterator[LocalRegistry]:
    """An empty in-process registry with the referrers API."""
    with LocalRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def distribution_3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A real distribution 3, shared by all tests: use a repository of your own."""
    yield from _run(distribution, tmp_path_factory.mktemp("distribution"))


@pytest.fixture(scope="session")
def docker_registry_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A real docker-registry 2.8, shared by all tests: use a repository of your own."""
    yield from _run(docker_registry, tmp_path_factory.mktemp("docker-registry"))


@pytest.fixture(scope="session")
def olareg_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A real olareg with the referrers API, shared by all tests: use a repository of your own."""
    yield from _run(olareg, tmp_path_factory.mktemp("olareg"))


def _run(
    program: Callable[[Path], AbstractContextManager[RunningRegistry]], folder: Path
) -> Iterator[RunningRegistry]:
    try:
        running = program(folder)
    except PeerMissing as cause:
        pytest.skip(str(cause))
    with running as registry:
        yield registry
