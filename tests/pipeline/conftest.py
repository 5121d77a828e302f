"""The demo in a folder of the test, and its modules for tests of parts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from harness.demo import EXAMPLE, Demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULES = ("airflow_run", "consumer", "data", "handover", "pipeline", "steps", "surroundings")


@pytest.fixture
def new_demo(tmp_path: Path) -> Callable[[str | None], Demo]:
    """Makes a demo for a registry, or None for the local store."""
    return lambda registry: Demo(folder=tmp_path / "demo", registry=registry)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's folder, whose modules can be imported while the test runs."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield EXAMPLE
    for name in MODULES:
        sys.modules.pop(name, None)
