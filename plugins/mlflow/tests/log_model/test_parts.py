"""Datasets, code, docs and prompts beside the model: files and folders that were given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.errors import NotPushed, UsageError
from kitline.testing.faults import MANIFESTS, Fault

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

    from conftest import Fitted, Tracked

PIP = ["scikit-learn"]
DENIED = Fault(kind="answer", methods=("PUT",), path=MANIFESTS, status=403, times=1)


def write(path: str, text: str = "text") -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


def test_each_drawer_takes_files_and_folders(ambient: Tracked, iris: Fitted) -> None:
    write("data/train/rows.csv", "1,2\n")
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(
            iris.model,
            name="m",
            reference="iris:v1",
            datasets="data/train",
            code=[write("src/train.py"), Path(write("src/more.py"))],
            docs=write("CARD.md"),
            prompts=write("prompts/system.txt"),
            pip_requirements=PIP,
        )
    assert info.receipt
    drawers = {each.path: each.type for each in info.receipt.layers}
    assert drawers == {
        "model": "model",
        "datasets/train": drawers["datasets/train"],
        "code/more.py": "code",
        "code/train.py": "code",
        "docs/CARD.md": "docs",
        "prompts/system.txt": drawers["prompts/system.txt"],
    }
    kitline.unpack("iris:v1", "out")
    assert Path("out/datasets/train/rows.csv").read_text() == "1,2\n"
    assert Path("out/prompts/system.txt").read_text() == "text"
    assert mlflow.pyfunc.load_model("out/model").predict(iris.data) is not None


def test_a_prompt_of_mlflow_is_linked_by_mlflow_and_comes_with_the_kit(
    ambient: Tracked, iris: Fitted
) -> None:
    mlflow.genai.register_prompt("greeting", "hello {{name}}")
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(
            iris.model, name="m", prompts="prompts:/greeting/1", pip_requirements=PIP
        )
    assert info.prompts == ["prompts:/greeting/1"]
    again = kitline.import_(info.model_uri, "again:v1", options={"again": "true"})
    assert again.digest == info.digest


def test_two_files_of_one_name_are_refused(ambient: Tracked, iris: Fitted) -> None:
    with pytest.raises(UsageError, match=r"code: two of 'a.py', 'a.py' have the same name"):
        kitline_mlflow.log_model(iris.model, name="m", code=[write("x/a.py"), write("y/a.py")])


def test_a_link_among_the_files_is_refused_and_the_model_stays(
    ambient: Tracked, iris: Fitted
) -> None:
    write("docs/real.md")
    Path("docs/link.md").symlink_to("/etc/hostname")
    with (
        mlflow.start_run(experiment_id=ambient.experiment_id),
        pytest.raises(NotPushed, match="is no file, or a link to one"),
    ):
        kitline_mlflow.log_model(iris.model, name="m", docs="docs", pip_requirements=PIP)


def test_a_failed_push_names_the_call_that_packs_what_was_given_beside_the_model(
    ambient: Tracked, iris: Fitted, registry: LocalRegistry
) -> None:
    registry.inject(DENIED)
    with mlflow.start_run(experiment_id=ambient.experiment_id), pytest.raises(NotPushed) as caught:
        kitline_mlflow.log_model(
            iris.model,
            name="m",
            reference=f"{registry.host}/iris:v1",
            datasets=write("data/rows.csv"),
            docs=write("CARD.md"),
            pip_requirements=PIP,
        )
    message = str(caught.value)
    assert "the command from the model alone; go on with 'kitline import models:/m-" in message
    (call,) = re.findall(r"'(kitline_mlflow\.log_modelkit\(.*\))' makes it", message)
    info = eval(call, {"kitline_mlflow": kitline_mlflow})  # the call as people would copy it
    drawers = [each.path for each in info.receipt.layers]
    assert drawers == ["model", "datasets/rows.csv", "docs/CARD.md"]


def test_files_for_a_model_that_has_a_kit_make_a_new_one(ambient: Tracked) -> None:
    first = kitline_mlflow.log_modelkit(model_id=ambient.model_id, reference="iris:v1")
    card = write("CARD.md")
    second = kitline_mlflow.log_modelkit(
        model_id=ambient.model_id, reference="iris:v2", docs=card, prompts=write("system.txt")
    )
    assert second.digest != first.digest
    assert second.receipt
    assert {each.path for each in second.receipt.layers} >= {"docs/CARD.md", "prompts/system.txt"}
