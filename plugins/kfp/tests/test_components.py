"""Every component in a real local run: the text that KFP embeds is what is run."""

from typing import TYPE_CHECKING, Any

import kitline
import kitline_kfp
import pytest
from kfp import dsl
from kfp.dsl import Artifact, Model, Output
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalRun


@dsl.pipeline(name="names")
def names(name: str, tag: str) -> None:
    found = kitline_kfp.resolve_modelkit(modelkit=name)
    tagged = kitline_kfp.tag_modelkit(modelkit=found.outputs["reference"], tag=tag)
    kitline_kfp.promote_modelkit(
        modelkit=tagged.outputs["reference"], stage="production", reason="it is the first"
    )


@dsl.pipeline(name="lineage")
def lineage(modelkit: str) -> None:
    kitline_kfp.lineage_report(modelkit=modelkit)


@pytest.fixture
def kit(tmp_path: "Path") -> str:
    return str(kitline.pack(write_tree(tmp_path / "kit", SMALL_KIT), "team/iris:v1").reference)


def test_names_become_digests_and_stages(run_locally: "Callable[..., LocalRun]", kit: str) -> None:
    repository, _, digest = kit.partition("@")

    run = run_locally(names, name=f"{repository}:v1", tag="checked")

    for task in ("resolve-modelkit", "tag-modelkit", "promote-modelkit"):
        assert run.output(task)["digest"] == digest
        assert run.output(task)["reference"] == kit
    assert str(kitline.resolve(f"{repository}:checked")) == kit
    assert str(kitline.resolve(f"{repository}:production")) == kit
    assert run.output("promote-modelkit")["previous"] == ""
    [record] = kitline.stage_history(repository, "production")
    assert record.reason == "it is the first"
    everything = [
        run.metadata(task, name)
        for task, name in (("resolve-modelkit", "kit"), ("promote-modelkit", "kit"))
    ]
    assert {type(value) for each in everything for value in each.values()} == {str}


def test_lineage_is_a_page_that_kfp_shows(run_locally: "Callable[..., LocalRun]", kit: str) -> None:
    run = run_locally(lineage, modelkit=kit)

    page = (run.folder / "lineage-report/report").read_text()
    assert "<html" in page
    assert kit.partition("@")[2][7:19] in page


@dsl.pipeline(name="trust")
def trust(modelkit: str, key: str) -> None:
    kitline_kfp.verify_modelkit(modelkit=modelkit, key=key)


def test_a_signed_kit_is_verified_with_a_key_given_as_text(
    run_locally: "Callable[..., LocalRun]", kit: str, tmp_path: "Path", make_keys: Any
) -> None:
    private, public = make_keys(tmp_path)
    kitline.sign(kit, key=str(private))

    run = run_locally(trust, modelkit=kit, key=public.read_text())

    assert run.output("verify-modelkit")["reference"] == kit
    assert run.receipt("verify-modelkit", "report")["digest"] == kit.partition("@")[2]


def test_a_signature_that_does_not_verify_stops_the_pipeline_with_one_line(
    run_locally: "Callable[..., LocalRun]", kit: str, tmp_path: "Path", make_keys: Any
) -> None:
    (tmp_path / "other").mkdir()
    private, _ = make_keys(tmp_path / "other")
    kitline.sign(kit, key=str(private))
    _, public = make_keys(tmp_path)

    run = run_locally(trust, fails=True, modelkit=kit, key=public.read_text())

    [error] = run.errors
    assert "signature" in error
    assert "Traceback" not in run.log


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make_several(model: Output[Model], left: Output[Artifact], right: Output[Artifact]) -> None:
    import pathlib

    pathlib.Path(model.path).mkdir()
    for name in ("weights.bin", "tokenizer é.json"):
        (pathlib.Path(model.path) / name).write_text(name)
    pathlib.Path(left.path).write_text("left")
    pathlib.Path(right.path).write_text("right")


@dsl.pipeline(name="everything")
def everything(to: str, parent: str) -> None:
    made = make_several()
    pushed = kitline_kfp.push_modelkit(
        to=to,
        model=made.outputs["model"],
        dataset=made.outputs["left"],
        dataset_2=made.outputs["right"],
        docs=made.outputs["left"],
        prompts=made.outputs["right"],
        parameters={"depth": 3, "rate": 0.5, "names": ["a", "b"]},
        parents=[f"base={parent}"],
        name="Modèle",
        version="1",
        framework="scikit-learn",
    )
    kitline_kfp.pull_modelkit(modelkit=pushed.outputs["reference"], dataset="right")


def test_drawers_parameters_and_parents_go_into_the_kit_and_back(
    run_locally: "Callable[..., LocalRun]", kit: str, local_registry: Any, tmp_path: "Path"
) -> None:
    run = run_locally(everything, to=f"{local_registry.host}/team/all:v1", parent=kit)

    found = kitline.inspect(run.output("push-modelkit")["reference"])
    kitfile = found.kit.kitfile
    assert kitfile.model.parameters == {"depth": 3, "rate": 0.5, "names": ["a", "b"]}
    assert isinstance(kitfile.model.parameters["depth"], int)
    assert [each.name for each in kitfile.datasets] == ["left", "right"]
    assert [(each.path, each.name) for each in kitfile.prompts] == [("prompts/right", "right")]
    assert kitfile.package.name == "Modèle"
    assert kitfile.model.framework == "scikit-learn"
    assert found.parents == [{"digest": kit.partition("@")[2], "role": "base"}]
    pulled = run.folder / "pull-modelkit"
    assert (pulled / "datasets").read_text() == "right"
    assert (pulled / "model/tokenizer é.json").read_text() == "tokenizer é.json"
    assert run.metadata("pull-modelkit", "datasets")["paths"] == "datasets/right"

    receipt = run.receipt("push-modelkit")
    assert [each["reference"] for each in receipt["parents"]] == [kit]
    assert {each["path"] for each in receipt["layers"]} == {
        "model", "datasets/left", "datasets/right", "docs/left", "prompts/right",
    }  # fmt: skip
    assert receipt["tag"] == "v1"

    # the same layout, packed from a folder, is the same kit
    kitline.unpack(receipt["reference"], tmp_path / "again")
    again = kitline.pack(tmp_path / "again", "again:v1", parents=[f"base={kit}"])
    assert str(again.digest) == receipt["digest"]


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make_part(number: int, data: Output[Artifact]) -> None:
    with open(data.path, "w") as file:
        file.write(str(number))


@dsl.pipeline(name="loop")
def loop() -> None:
    with dsl.ParallelFor([1, 2, 3]) as number:
        made = make_part(number=number)
    kitline_kfp.push_modelkit(to="team/parts:v1", datasets=dsl.Collected(made.outputs["data"]))


@pytest.mark.slow  # four processes for one sentence
def test_the_outputs_of_a_loop_become_datasets(run_locally: "Callable[..., LocalRun]") -> None:
    run = run_locally(loop)

    layers = run.receipt("push-modelkit")["layers"]
    assert [each["path"] for each in layers] == [
        "datasets/data", "datasets/data-2", "datasets/data-3",
    ]  # fmt: skip
