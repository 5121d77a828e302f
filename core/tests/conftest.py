"""What every test may use: a home of its own, registries, the command line and a small kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.testing.command_line import CommandLine
from kitline.testing.fixtures import (
    distribution_3,
    docker_registry_2,
    isolated_home,
    local_registry,
    olareg_registry,
)
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "distribution_3",
    "docker_registry_2",
    "isolated_home",
    "local_registry",
    "olareg_registry",
]

# so that a failing assert in a contract shows both sides
pytest.register_assert_rewrite("kitline.testing.store_contract", "kitline.testing.plugin_contracts")


@pytest.fixture
def run() -> CommandLine:
    """Runs a verb as a shell would."""
    from kitline.cli.main import main  # here: most tests need no command line

    return CommandLine(main)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small kit, in the folder above as working directory."""
    monkeypatch.chdir(tmp_path)
    return write_tree(tmp_path / "iris", SMALL_KIT)
