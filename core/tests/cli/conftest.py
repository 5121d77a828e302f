"""The command line in this process, and a small kit to use it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.cli.main import main
from kitline.testing.command_line import CommandLine
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run() -> CommandLine:
    """Runs a verb as a shell would."""
    return CommandLine(main)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small kit, in the folder above as working directory."""
    monkeypatch.chdir(tmp_path)
    return write_tree(tmp_path / "iris", SMALL_KIT)
