"""The container form: the command line with the executor's input of a real local run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import kitline
import kitline_kfp
import pytest
from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output
from kitline.cli.main import main
from kitline.testing.command_line import CommandLine
from kitline_kfp.containers import NAMES, container_component
from kitline_kfp.executor_input import ContainerArtifact, ExecutorInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import LocalRun

kitline_cli = CommandLine(main)


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make(model: Output[Model], data: Output[Dataset], metrics: Output[Metrics]) -> None:
    import os

    os.makedirs(model.path)
    with open(f"{model.path}/poids é.bin", "w") as file:
        file.write("weights")
    with open(data.path, "w") as file:
        file.write("1,2")
    metrics.log_metric("accuracy", 0.9)


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def note_push(
    to: str,
    kit: Output[Artifact],
    model: Input[Artifact] = None,
    dataset: Input[Artifact] = None,
    metrics: Input[Artifact] = None,
    parameters: dict = {},  # noqa: B006  as KFP takes it
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):
    import pathlib
    import sys

    noted = sys.argv[sys.argv.index("--executor_input") + 1]
    pathlib.Path(kit.path).with_name("noted.json").write_text(noted)
    return ("", "")


@dsl.pipeline(name="noted")
def noted(to: str) -> None:
    made = make()
    inputs = {
        "model": made.outputs["model"],
        "dataset": made.outputs["data"],
        "metrics": made.outputs["metrics"],
        "parameters": {"depth": 3},
    }
    note_push(to=to, **inputs)
    kitline_kfp.push_modelkit(to=to, **inputs)


@pytest.fixture
def run(run_locally: "Callable[..., LocalRun]", local_registry: Any) -> "LocalRun":
    return run_locally(noted, to=f"{local_registry.host}/team/iris:v1")


def test_the_command_line_does_what_the_component_does(run: "LocalRun", tmp_path: Path) -> None:
    given = (run.folder / "note-push/noted.json").read_text()
    output = tmp_path / "output.json"

    done = kitline_cli(
        "kfp", "push", "--kfp-executor-input", given, "--kfp-executor-output", output
    )

    pushed = run.output("push-modelkit")
    assert done.pinned == pushed["reference"]
    said = json.loads(output.read_text())
    assert said["parameterValues"] == pushed
    # flat texts, which clusters bring back as they are
    assert {type(value) for value in run.metadata("push-modelkit", "kit").values()} == {str}
    [kit] = said["artifacts"]["kit"]["artifacts"]
    assert kit["metadata"] == run.metadata("push-modelkit", "kit")
    assert kit["uri"] == str(run.folder / "note-push/kit")
    assert run.receipt("note-push") == run.receipt("push-modelkit")
    # a container hands parameters on as files too
    assert (run.folder / "note-push/digest").read_text() == pushed["digest"]


def given_for(tmp_path: Path, parameters: dict[str, Any], *outputs: str) -> str:
    return json.dumps(
        {
            "inputs": {"parameterValues": parameters},
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"name": name, "uri": str(tmp_path / "out" / name)}]}
                    for name in outputs
                },
                "outputFile": str(tmp_path / "out/executor_output.json"),
            },
        }
    )


@pytest.fixture
def kit(tmp_path: Path) -> str:
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "model.bin").write_text("weights")
    return str(kitline.pack(folder, "team/iris:v1").reference)


@pytest.mark.parametrize(
    ("verb", "parameters", "outputs"),
    [
        ("pull", {}, ("model", "kit")),
        ("resolve", {}, ("kit",)),
        ("tag", {"tag": "checked"}, ("kit",)),
        ("promote", {"stage": "production", "reason": "it is good"}, ("kit",)),
        ("lineage", {"depth": 2.0}, ("report",)),
    ],
)
def test_verbs_take_a_kit_and_hand_its_name_on(
    kit: str, tmp_path: Path, verb: str, parameters: dict[str, Any], outputs: tuple[str, ...]
) -> None:
    given = given_for(tmp_path, {"modelkit": kit, **parameters}, *outputs)

    done = kitline_cli("kfp", verb, "--kfp-executor-input", given)

    assert done.pinned == kit
    said = json.loads((tmp_path / "out/executor_output.json").read_text())
    assert said["parameterValues"]["digest"] == kit.partition("@")[2]
    for name in outputs:
        assert (tmp_path / "out" / name).exists()
        [one] = said["artifacts"][name]["artifacts"]
        assert one["metadata"]["oci_reference"] == kit


def test_neither_steps_nor_containers_load_kfp() -> None:
    program = (
        "import pkgutil, sys, kitline_kfp.cli, kitline_kfp.container_verbs, kitline_kfp.plugin\n"
        "from kitline_kfp import steps as s\n"
        "[__import__(f'{s.__name__}.{each.name}') for each in pkgutil.iter_modules(s.__path__)]\n"
        "sys.exit(','.join(each for each in sys.modules if each.partition('.')[0] == 'kfp'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


def test_json_is_one_object_on_stdout(kit: str, tmp_path: Path) -> None:
    given = given_for(tmp_path, {"modelkit": kit})

    done = kitline_cli("kfp", "resolve", "--kfp-executor-input", given, "--json")

    assert done.json == {"digest": kit.partition("@")[2], "reference": kit}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "executor input: it is not a JSON object"),
        ('{"inputs": {"parameterValues": []}, "outputs": {}}', "parameter 'modelkit' is missing"),
        ('{"inputs": {"parameterValues": [1]}}', "inputs.parameterValues: it is not"),
        ('{"inputs": {"parameterValues": {"modelkit": 3}}}', "has to be a text"),
        ('{"outputs": {"artifacts": {"kit": {"artifacts": [{}]}}}}', "outputs.artifacts.kit.uri"),
        ('{"outputs": {"artifacts": {"kit": {"artifacts": 1}}}}', "it is not a list"),
    ],
)
def test_what_is_no_input_of_an_executor_is_a_usage_error(given: str, words: str) -> None:
    done = kitline_cli("kfp", "resolve", "--kfp-executor-input", given)

    assert done.code == 2
    assert words in done.error


@pytest.mark.parametrize(
    ("verb", "parameters", "words"),
    [
        ("promote", {"stage": "a", "require": [3]}, "require[0] is 3, and has to be a text"),
        ("verify", {"attestations": [None]}, "attestations[0] is None"),
        ("import", {"source": "x:y", "to": "a:v1", "options": {"rev": 1}}, "options[0] is 1"),
        ("import", {"source": "x:y", "to": "a:v1", "options": ["rev"]}, "has to be an object"),
        ("push", {"to": "a:v1", "parents": {"data": 1}}, "has to be a list"),
        ("lineage", {"depth": -1}, "depth is -1; give a number of hops"),
        ("lineage", {"depth": 1.5}, "parameter 'depth' is 1.5, and has to be a whole number"),
    ],
)
def test_values_that_kfp_lets_pass_are_usage_errors(
    kit: str, tmp_path: Path, verb: str, parameters: dict[str, Any], words: str
) -> None:
    given = given_for(tmp_path, {"modelkit": kit, **parameters}, "kit", "report")

    done = kitline_cli("kfp", verb, "--kfp-executor-input", given)

    assert done.code == 2
    assert words in done.error
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_no_output(tmp_path: Path) -> None:
    given = given_for(tmp_path, {"modelkit": "team/iris:v9"}, "kit")

    done = kitline_cli("kfp", "resolve", "--kfp-executor-input", given)

    assert done.code == 1
    assert "no tag 'v9'" in done.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "uri",
    ["gs://bucket/a b/m", "s3://bucket/m", "minio://mlpipeline/v2/é/m", "/tmp/local/model"],
)
def test_artifacts_lie_where_kfp_puts_them(uri: str) -> None:
    for metadata in ({}, {"_kfp_workspace": True}):
        theirs = dsl.Artifact(uri=uri, metadata=metadata).path
        assert ContainerArtifact(name="m", uri=uri, metadata=metadata).path == theirs


@pytest.mark.parametrize("uri", ["oci://registry/x", "modelkit://registry/x@sha256:1", "https://x"])
def test_an_address_that_kfp_gives_to_no_step_is_refused(uri: str) -> None:
    with pytest.raises(kitline.KitlineError, match="gives to no step as files"):
        _ = ContainerArtifact(name="m", uri=uri).path


def test_numbers_of_a_cluster_are_floats() -> None:
    given = ExecutorInput.parse('{"inputs": {"parameterValues": {"depth": 2.0}}}')

    assert given.get("depth", 0) == 2
    with pytest.raises(kitline.KitlineError, match="has to be true or false"):
        given.get("depth", False)


@pytest.mark.parametrize("name", NAMES)
def test_every_component_has_a_verb_with_an_example(name: str) -> None:
    command = container_component(name).component_spec.implementation.container.command

    done = kitline_cli(*command[1:], "--help")

    assert done.code == 0
    assert "Example: kitline kfp" in done.stdout
    assert "'{{$}}'" in done.stdout


@pytest.mark.slow
def test_the_container_runs_where_there_is_a_container_runtime(tmp_path: Path) -> None:
    runtime = find_runtime()
    if runtime is None:
        pytest.skip("no container runtime answers here: neither podman nor a docker daemon")
    root = Path(__file__).parents[3]
    subprocess.run(
        [runtime, "build", "-q", "-f", "plugins/kfp/Dockerfile", "-t", "kitline-kfp:test", "."],
        cwd=root, check=True,
    )  # fmt: skip
    given, to = given_for_push(tmp_path)
    tmp_path.chmod(0o777)
    command = container_component("push_modelkit").component_spec.implementation.container.command
    subprocess.run(
        [runtime, "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--user", "54321:54321",
         "-v", f"{tmp_path}:{tmp_path}", "kitline-kfp:test", *command,
         "--kfp-executor-input", given],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads((tmp_path / "out/executor_output.json").read_text())
    assert said["parameterValues"]["digest"] == str(kitline.inspect(to).digest)


def test_the_command_of_a_container_pushes_into_a_layout(tmp_path: Path) -> None:
    given, to = given_for_push(tmp_path)

    done = kitline_cli("kfp", "push", "--kfp-executor-input", given)

    assert done.code == 0, done.stderr
    said = json.loads((tmp_path / "out/executor_output.json").read_text())
    assert said["parameterValues"]["digest"] == str(kitline.inspect(to).digest)


def given_for_push(folder: Path) -> tuple[str, str]:
    """Return the input of a push from a folder into a layout in it, and the kit's name there."""
    (folder / "model").write_text("weights")
    to = f"oci:{folder / 'layout'}:v1"
    given = json.loads(given_for(folder, {"to": to}, "kit"))
    artifact = {"name": "model", "uri": str(folder / "model")}
    given["inputs"]["artifacts"] = {"model": {"artifacts": [artifact]}}
    return json.dumps(given), to


def find_runtime() -> str | None:
    """Return podman, or docker if its daemon answers."""
    for program in ("podman", "docker"):
        found = shutil.which(program)
        if (
            found
            and not subprocess.run([found, "info"], capture_output=True, check=False).returncode
        ):
            return found
    return None
