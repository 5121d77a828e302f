"""The table that ends the demo when a tool has another digest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")


@pytest.fixture
def table(modules: Path) -> Any:
    return import_module("handover").HandOvers()


def test_tools_that_agree_are_lines_of_a_table(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table.note("data", "DVC", "data.dvc", ONE)
    table.note("data", "KFP", "parameter data", ONE)
    table.note("model", "KFP", "output digest", OTHER)

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[1], line[-1]) for line in lines] == [
        ("data", "DVC", "sha256:111111111111"),
        ("data", "KFP", "sha256:111111111111"),
        ("model", "KFP", "sha256:222222222222"),
    ]


def test_a_tool_with_another_digest_ends_the_demo(table: Any) -> None:
    table.note("data", "DVC", "data.dvc", ONE)

    with pytest.raises(SystemExit, match=f"KFP: parameter data is {OTHER}; those before it"):
        table.note("data", "KFP", "parameter data", OTHER)


def test_a_tool_that_nobody_asked_ends_the_demo(table: Any) -> None:
    table.note("data", "DVC", "data.dvc", ONE)

    with pytest.raises(SystemExit, match="nobody asked Airflow, KFP about the data kit"):
        table.require("data", {"DVC", "KFP", "Airflow"})
