"""What the guide says of components in the format of KFP 1, and of ours beside them."""

from typing import TYPE_CHECKING, Any

import kitline
import kitline_kfp
import pytest
import yaml
from kfp import compiler, components, dsl
from kitline_kfp.containers import container_component

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalRun

# the shape of such a component: what it hands on are files at paths of its own
VERSION_1 = """
name: push
inputs: [{name: folder, type: String}]
outputs: [{name: digest, type: String}]
implementation:
  container:
    image: example
    command: [sh, -c, 'echo "$0" > /tmp/outputs/digest', {inputValue: folder}]
    fileOutputs: {digest: /tmp/outputs/digest}
"""


def executor_of(component: Any, folder: "Path") -> str:
    compiler.Compiler().compile(component, str(folder / "compiled.yaml"))
    spec = yaml.safe_load((folder / "compiled.yaml").read_text())
    [executor] = spec["deploymentSpec"]["executors"].values()
    return " ".join([*executor["container"]["command"], *executor["container"].get("args", [])])


@pytest.mark.filterwarnings("ignore")  # KFP says that the format is old
def test_file_outputs_of_a_version_1_component_are_lost(tmp_path: "Path") -> None:
    command = executor_of(components.load_component_from_text(VERSION_1), tmp_path)

    # nothing tells the launcher's place for the output, and nothing tells it of the file
    assert "/tmp/outputs/digest" in command
    assert "$.outputs" not in command
    assert "executor_output" not in command
    assert "fileOutputs" not in (tmp_path / "compiled.yaml").read_text()


def test_outputs_of_both_our_forms_are_not(tmp_path: "Path") -> None:
    inside = executor_of(container_component("push_modelkit"), tmp_path)
    python = executor_of(kitline_kfp.push_modelkit_component(), tmp_path)

    assert "{{$.outputs.output_file}}" in inside
    assert "--executor_input {{$}}" in python


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def move_tag(other: str, pushed: str) -> None:
    import kitline

    kitline.tag(other, "v1")
    assert str(kitline.resolve(other.partition("@")[0] + ":v1")) != pushed


@dsl.pipeline(name="moved meanwhile")
def moved_meanwhile(to: str, code: str, other: str) -> None:
    pushed = kitline_kfp.push_modelkit(to=to, code=code)
    moved = move_tag(other=other, pushed=pushed.outputs["reference"])
    kitline_kfp.pull_modelkit(modelkit=pushed.outputs["reference"]).after(moved)


def test_later_steps_get_what_was_pushed_though_the_tag_moved(
    run_locally: "Callable[..., LocalRun]", tmp_path: "Path"
) -> None:
    (tmp_path / "model.bin").write_text("somebody else's")
    kitfile = b"model: {path: model.bin}"
    other = str(kitline.pack(tmp_path, "team/iris:theirs", kitfile=kitfile).reference)

    (tmp_path / "train.py").write_text("mine")

    code = str(tmp_path / "train.py")
    run = run_locally(moved_meanwhile, to="team/iris:v1", code=code, other=other)

    assert (run.folder / "pull-modelkit/code").read_text() == "mine"
    assert run.output("pull-modelkit") == run.output("push-modelkit")
