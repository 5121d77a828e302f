"""KFP's cache and digests: what takes a digest is skipped, what names, writes or judges is not."""

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import kitline
import kitline_kfp
from kfp import dsl
from kfp.dsl import Artifact, Dataset, Output
from kitline_kfp import steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalRun


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make_data(content: str, run: str, data: Output[Dataset]) -> None:
    with open(data.path, "w") as file:
        file.write(content)


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def train(data: str, to: str, kit: Output[Artifact]) -> NamedTuple(
    "Outputs", [("digest", str), ("reference", str)]
):
    import pathlib
    import tempfile

    from kitline_kfp import steps

    fetched = steps.fetch(data, drawers=["datasets"])
    model = pathlib.Path(tempfile.mkdtemp()) / "model.bin"
    model.write_text("trained with " + (fetched / "datasets/data").read_text())
    return steps.push(to, model=model, parents={"data": data}, kit=kit)


@dsl.pipeline(name="data to model")
def data_to_model(content: str, run: str, repository: str) -> None:
    made = make_data(content=content, run=run)  # `run` makes it run again, as a changed query does
    data = kitline_kfp.push_modelkit(to=f"{repository}/data:v1", dataset=made.outputs["data"])
    train(data=data.outputs["reference"], to=f"{repository}/model:v1")


def test_a_step_that_takes_the_digest_is_skipped_when_its_producer_ran_again(
    run_locally: "Callable[..., LocalRun]", local_registry: Any
) -> None:
    inputs = {"content": "1,2", "repository": f"{local_registry.host}/team"}
    first = run_locally(data_to_model, caching=True, run="1", **inputs)
    assert len(kit_writes(local_registry, first)) >= 3  # layer, config, manifest
    local_registry.forget()
    second = run_locally(data_to_model, caching=True, run="2", **inputs)

    ran = {each.name for each in second.folder.iterdir()}
    assert ran == {"make-data", "push-modelkit"}
    assert second.output("push-modelkit") == first.output("push-modelkit")
    assert kit_writes(local_registry, first) == []


def kit_writes(registry: Any, run: "LocalRun") -> list[str]:
    """Requests that wrote a blob or the manifest of the data kit; not what is said beside it."""
    kit = kitline.inspect(run.output("push-modelkit")["reference"]).kit.manifest
    kits = {str(kit.digest), *(str(each.digest) for each in kit.references)}
    lines = [f"{each.method} {unquote(each.path)}" for each in registry.requests]
    return [
        each
        for each in lines
        if each.startswith(("PUT", "PATCH")) and any(digest in each for digest in kits)
    ]


@dsl.pipeline(name="promote")
def promote(name: str) -> None:
    found = kitline_kfp.resolve_modelkit(modelkit=name)
    kitline_kfp.promote_modelkit(modelkit=found.outputs["reference"], stage="production")


def test_promoting_a_then_b_then_a_in_cached_runs_ends_with_a(
    run_locally: "Callable[..., LocalRun]", tmp_path: "Path"
) -> None:
    kits = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_text(name)
        kits[name] = str(kitline.pack(tmp_path / name, f"team/iris:{name}").reference)

    seen = []
    for name in ("a", "b", "a"):
        kitline.tag(kits[name], "latest-good")  # the tag moves, and the inputs stay the same
        run = run_locally(promote, caching=True, name="team/iris:latest-good")
        seen.append(run.output("resolve-modelkit")["reference"])

    assert seen == [kits["a"], kits["b"], kits["a"]]
    assert str(kitline.resolve("team/iris:production")) == kits["a"]
    assert len(kitline.stage_history("team/iris", "production")) == 3


@dsl.pipeline(name="pull")
def pull(modelkit: str) -> None:
    kitline_kfp.pull_modelkit(modelkit=modelkit)


def test_a_pull_by_digest_is_skipped_the_second_time(
    run_locally: "Callable[..., LocalRun]", tmp_path: "Path"
) -> None:
    (tmp_path / "x").write_text("x")
    drawers = dict.fromkeys(("model", "datasets", "code", "docs", "prompts"), tmp_path / "x")
    pushed = steps.push("team/iris:v1", **drawers)

    first = run_locally(pull, caching=True, modelkit=pushed.reference)
    second = run_locally(pull, caching=True, modelkit=pushed.reference)

    assert first.output("pull-modelkit")["digest"] == pushed.digest
    assert second.folder.name == "none"  # a run that comes from the cache leaves no folder
