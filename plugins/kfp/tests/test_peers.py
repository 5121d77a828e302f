"""The real kit reads what a step pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from harness.programs import Kit, need_program
from kitline.testing.trees import read_tree
from kitline_kfp import steps

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.peer]


def test_kit_unpacks_what_a_step_pushed(local_registry: Any, tmp_path: Path) -> None:
    (tmp_path / "kit-home").mkdir()
    kit = Kit(program=need_program("kit"), home=tmp_path / "kit-home")
    model = tmp_path / "trained model"
    model.mkdir()
    (model / "poids é.bin").write_text("weights")
    (tmp_path / "data: é@x").write_text("1,2")
    reference = f"{local_registry.host}/team/iris:v1"
    steps.push(
        reference,
        model=model,
        datasets=tmp_path / "data: é@x",
        docs={"report": tmp_path / "data: é@x"},
        parameters={"depth": 3},
        name="Modèle",
    )

    kit.run("unpack", reference, "--plain-http", "-d", tmp_path / "theirs")
    fetched = steps.fetch(f"{reference.rpartition(':')[0]}@{steps.resolve(reference).digest}")

    theirs, ours = read_tree(tmp_path / "theirs"), read_tree(fetched.folder)
    assert theirs["model/poids é.bin"] == b"weights"
    assert theirs["datasets/data- é-x"] == b"1,2"
    theirs.pop("Kitfile")
    ours.pop("Kitfile")
    assert theirs == ours
