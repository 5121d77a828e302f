"""Importing a finished local run: its outputs, wherever its folder was moved, and nothing else."""

import json
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kfp import compiler, dsl, local
from kfp.dsl import Artifact, Dataset, Metrics, Model, Output
from kitline.cli.main import main
from kitline.errors import KitlineError, SourceError, UsageError
from kitline.plugin import ImportContext
from kitline.testing import ExporterContract, ImporterContract
from kitline.testing.command_line import CommandLine
from kitline_kfp.plugin import kitline_exporters, kitline_importers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Exporter, Importer

kitline_cli = CommandLine(main)


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def train(
    model: Output[Model],
    data: Output[Dataset],
    metrics: Output[Metrics],
    forgotten: Output[Artifact],
    note: dsl.OutputPath(str),
    depth: int = 3,
) -> str:
    import os

    os.makedirs(f"{model.path}/sous dossier")
    with open(f"{model.path}/sous dossier/poids é.bin", "w") as file:
        file.write("weights")
    with open(data.path, "w") as file:
        file.write("1,2")
    with open(note, "w") as file:
        file.write("a note")
    metrics.log_metric("accuracy", 0.9)
    metrics.log_metric("samples", 150)
    return f"depth {depth}"


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def retrain(model: Output[Model]) -> None:
    with open(model.path, "w") as file:
        file.write("better weights")


@dsl.pipeline(name="two é models")
def pipeline() -> None:
    retrain().after(train())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, moved away from where it was made."""
    root = tmp_path_factory.mktemp("kfp")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root / "made"))
    pipeline()
    compiler.Compiler().compile(pipeline, str(root / "pipeline.yaml"))
    [folder] = (root / "made").iterdir()
    moved = root / "moved" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    return moved


@pytest.fixture
def spec(finished: Path) -> str:
    return str(finished.parent.parent / "pipeline.yaml")


@pytest.fixture
def importer() -> "Importer":
    [found] = kitline_importers()
    return found


def collect(source: str, **options: str) -> Any:
    [importer] = kitline_importers()
    return importer.collect(source, options, ImportContext())


class TestImporter(ImporterContract):
    missing_source = "kfp:no-such-run"

    @pytest.fixture
    def source(self, finished: Path) -> str:
        return f"kfp:{finished}#train"

    @pytest.fixture
    def options(self, spec: str) -> "Mapping[str, str]":
        return {"spec": spec, "parameters": "true"}


class TestExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> "Exporter":
        [found] = kitline_exporters()
        return found

    @pytest.fixture
    def target(self) -> str:
        return "kfp"

    @pytest.fixture
    def options(self, tmp_path: Path) -> "Mapping[str, str]":
        return {"to": str(tmp_path / "run/task/kit")}


def test_a_task_becomes_a_kit_with_its_drawers(finished: Path, spec: str) -> None:
    found = collect(f"kfp:{finished}#train", spec=spec, parameters="true")

    kitfile = found.tree.kitfile
    assert kitfile.model.path == "model"
    assert [each.path for each in kitfile.datasets] == ["datasets/data"]
    assert kitfile.model.parameters == {"train.Output": "depth 3", "train.note": "a note"}
    paths = [each.path for each in found.tree.entries()]
    assert "model/sous dossier/poids é.bin" in paths
    assert not any("forgotten" in each or "metrics" in each for each in paths)
    assert found.origin.source == f"kfp:{finished.name}"


def test_metrics_and_the_run_are_said_beside_the_kit(finished: Path, spec: str) -> None:
    result = kitline.import_(f"kfp:{finished}#train", "team/iris:v1", options={"spec": spec})

    said = {each.predicate_type: each.predicate for each in kitline.read_statements(str(result))}
    evaluation = said["https://kitline.io/evaluation/v1"]
    assert evaluation == {"metrics": {"accuracy": 0.9, "samples": 150}}
    run = said["https://kitline.io/kfp-run/v1"]
    assert run["run"] == finished.name
    assert run["tasks"]["train"]["parameters"]["Output"] == "depth 3"
    provenance = said["https://slsa.dev/provenance/v1"]
    assert provenance["runDetails"]["metadata"]["invocationId"] == finished.name
    assert str(finished.parent) not in json.dumps([dict(each) for each in said.values()])


def test_a_copy_of_a_run_under_another_name_is_the_same_kit(
    finished: Path, spec: str, tmp_path: Path
) -> None:
    other = tmp_path / "another-name"
    shutil.copytree(finished, other)

    one = kitline.import_(f"kfp:{finished}#train", "a:v1", options={"spec": spec})
    two = kitline.import_(f"kfp:{other}#train", "b:v1", options={"spec": spec})

    assert one.digest == two.digest


def test_a_run_is_listed_by_its_tasks_and_each_becomes_a_kit(finished: Path, spec: str) -> None:
    listed = kitline_cli("import", "--list", f"kfp:{finished}")

    sources = shlex.split(listed.stdout)  # as 'import --from FILE' reads them: '#' is quoted
    assert sources == [f"kfp:{finished}#retrain", f"kfp:{finished}#train"]
    made = kitline_cli("import", f"kfp:{finished}#retrain", "-t", "again:v1", "-o", f"spec={spec}")
    assert made.digest


def test_outputs_are_chosen_by_name_without_a_pipeline(finished: Path) -> None:
    found = collect(
        f"kfp:{finished}",
        model="retrain/model",
        datasets="train/data",
        parts="train/model",
        metrics="train/metrics",
    )

    assert [each.path for each in found.tree.kitfile.model.parts] == ["model-parts/model"]
    assert [each.name for each in found.tree.kitfile.datasets] == ["data"]
    assert len(found.statements) == 3


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("{}", {}, "nothing tells what 'retrain/model', 'train/data', 'train/model' is"),
        ("{}", {"spec": "{spec}"}, "the run made 2 models"),
        ("{}#deploy", {}, "no finished task 'deploy'"),
        ("{}", {"model": "train/weights"}, "no output 'train/weights'"),
        ("{}", {"docs": "train/forgotten"}, "was never written"),
        ("{}", {"colour": "red"}, "has no option 'colour'"),
        ("{}", {"parameters": "yes"}, "'true' or 'false'"),
        ("{}", {"spec": "nowhere.yaml"}, "cannot read the pipeline"),
        ("{}/train/model", {}, "holds no finished task"),
        ("{}/train", {}, "is one task; name the folder of its run"),
    ],
)
def test_what_cannot_be_a_kit_is_said(
    finished: Path, spec: str, source: str, options: dict[str, str], words: str
) -> None:
    given = {name: value.format(spec=spec) for name, value in options.items()}

    with pytest.raises(KitlineError, match=words):
        collect(f"kfp:{source.format(finished)}", **given)


HOSTILE = [
    {"uri": "/etc/passwd"},
    {"uri": "../../secret"},
    {"uri": "/x/run/train/../../secret"},
    {"uri": "/x/run/train/.."},
    {"uri": "s3://bucket/key/that-is-elsewhere"},
]


@pytest.mark.parametrize("artifact", HOSTILE, ids=lambda each: each["uri"])
def test_a_run_folder_names_nothing_outside_of_itself(
    tmp_path: Path, artifact: dict[str, str]
) -> None:
    (tmp_path / "secret").write_text("secret")
    write_run(tmp_path / "run", {"model": {"artifacts": [artifact]}})

    with pytest.raises(SourceError, match="was never written"):
        collect(f"kfp:{tmp_path / 'run'}", model="train/model")


def test_a_link_in_a_run_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    write_run(tmp_path / "run", {"model": {"artifacts": [{"uri": "/x/run/train/model"}]}})
    (tmp_path / "run/train/model").symlink_to(tmp_path / "secret")

    with pytest.raises(SourceError, match="is a link"):
        collect(f"kfp:{tmp_path / 'run'}", model="train/model")


def test_a_link_on_the_way_to_an_output_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_text("secret")
    address = f"{tmp_path / 'run'}/train/link/secret"
    write_run(tmp_path / "run", {"model": {"artifacts": [{"uri": address}]}})
    (tmp_path / "run/train/link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SourceError, match="is a link"):
        collect(f"kfp:{tmp_path / 'run'}", model="train/model")


def test_a_run_folder_that_is_reached_by_a_link_is_read(tmp_path: Path) -> None:
    write_run(tmp_path / "run", {"model": {"artifacts": [{"uri": "/x/run/train/model"}]}})
    (tmp_path / "run/train/model").write_text("weights")
    (tmp_path / "latest").symlink_to(tmp_path / "run")

    assert collect(f"kfp:{tmp_path / 'latest'}", model="train/model").tree.kitfile.model


def test_a_folder_may_have_a_number_sign_in_its_name(tmp_path: Path) -> None:
    run = tmp_path / "try #2/run"
    write_run(run, {"model": {"artifacts": [{"uri": "/x/run/train/model"}]}})
    (run / "train/model").write_text("weights")
    [importer] = kitline_importers()

    [listed] = importer.expand(f"kfp:{run}", {}, ImportContext())

    assert listed == f"kfp:{run}#train"
    for source in (listed, f"kfp:{run}"):
        assert collect(source, model="train/model").tree.kitfile.model


def test_what_looks_like_a_task_inside_an_output_is_content(tmp_path: Path) -> None:
    write_run(tmp_path / "run", {"model": {"artifacts": [{"uri": "/x/run/train/model"}]}})
    (tmp_path / "run/train/model").mkdir()
    (tmp_path / "run/train/model/executor_output.json").write_text("[]")

    found = collect(f"kfp:{tmp_path / 'run'}", model="train/model")

    assert "model/executor_output.json" in [each.path for each in found.tree.entries()]


def test_numbers_that_json_has_not_are_told_as_texts(tmp_path: Path) -> None:
    metrics = {"uri": "/x/metrics", "metadata": {"loss": float("nan"), "rows": 10**400, "auc": 0.5}}
    artifacts = {
        "model": {"artifacts": [{"uri": "/x/run/train/model"}]},
        "metrics": {"artifacts": [metrics]},
    }
    parameters = {"loss": float("nan"), "name é": "b", "best": float("-inf")}
    write_run(tmp_path / "run", artifacts, parameters)
    (tmp_path / "run/train/model").write_text("weights")
    options = {"model": "train/model", "metrics": "train/metrics", "parameters": "true"}

    made = kitline.import_(f"kfp:{tmp_path / 'run'}", "team/iris:v1", options=options)

    assert made.warnings == ()
    model = kitline.inspect(str(made)).kit.kitfile.model
    assert model.parameters == {
        "train.loss": "NaN", "train.name é": "b", "train.best": "-Infinity",
    }  # fmt: skip
    said = {each.predicate_type: each.predicate for each in kitline.read_statements(str(made))}
    assert said["https://kitline.io/evaluation/v1"] == {"metrics": {"auc": 0.5}}


def test_parameters_nested_without_end_are_a_clear_error(tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    artifacts = {"model": {"artifacts": [{"uri": "/x/run/train/model"}]}}
    write_run(tmp_path / "run", artifacts, {"deep": deep})
    (tmp_path / "run/train/model").write_text("weights")

    with pytest.raises(UsageError, match="nested over 100 deep"):
        collect(f"kfp:{tmp_path / 'run'}", model="train/model")


MALFORMED = [
    "[",
    "[]",
    '{"artifacts": []}',
    '{"artifacts": {"model": 3}}',
    '{"artifacts": {"model": {"artifacts": 3}}}',
    '{"artifacts": {"model": {"artifacts": ["x"]}}}',
    '{"artifacts": {"model": {"artifacts": [{"uri": 3}]}}}',
]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_outputs_are_clear_errors(tmp_path: Path, text: str) -> None:
    write_run(tmp_path / "run", {})
    (tmp_path / "run/train/executor_output.json").write_text(text)

    with pytest.raises((SourceError, UsageError)):
        collect(f"kfp:{tmp_path / 'run'}", model="train/model")


def write_run(
    folder: Path, artifacts: dict[str, Any], parameters: "Mapping[str, Any] | None" = None
) -> None:
    (folder / "train").mkdir(parents=True)
    output = json.dumps({"artifacts": artifacts, "parameterValues": parameters or {}})
    (folder / "train/executor_output.json").write_text(output)


def test_an_export_is_the_drawers_and_a_receipt(tmp_path: Path, finished: Path, spec: str) -> None:
    made = kitline.import_(f"kfp:{finished}#train", "team/iris:v1", options={"spec": spec})

    done = kitline_cli("export", str(made), "kfp", "-o", f"to={tmp_path / 'kit'}", "--json")

    assert done.code == 0, done.stderr
    assert (tmp_path / "kit/datasets/data").read_text() == "1,2"
    receipt = json.loads((tmp_path / "kit/modelkit-receipt.json").read_text())
    assert receipt["digest"] == str(made.digest)


def test_an_export_writes_its_receipt_over_no_file_of_the_kit(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/modelkit-receipt.json").write_text("mine")
    (tmp_path / "kit/weights").write_text("weights")
    kitfile = b"model: {path: weights}\ndocs: [{path: modelkit-receipt.json}]"
    made = kitline.pack(tmp_path / "kit", "team/again:v1", kitfile=kitfile)

    place = tmp_path / "out"
    refused = kitline_cli("export", str(made), "kfp", "-o", f"to={place}")
    assert "of its own, in the place of the receipt" in refused.error
    assert not place.exists()
    done = kitline_cli("export", str(made), "kfp", "-o", f"to={place}", "-o", "drawers=model")
    assert done.code == 0, done.stderr
    assert json.loads((place / "modelkit-receipt.json").read_text())["digest"] == str(made.digest)


def test_an_export_leaves_other_files_alone(tmp_path: Path, finished: Path, spec: str) -> None:
    made = kitline.import_(f"kfp:{finished}#train", "team/iris:v1", options={"spec": spec})
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/mine").write_text("mine")

    done = kitline_cli("export", str(made), "kfp", "-o", f"to={tmp_path / 'kit'}")

    assert "other files are there" in done.error
    assert [each.name for each in tmp_path.iterdir()] == ["kit"]
    assert "an address" in kitline_cli("export", str(made), "kfp", "-o", "to=oci://x/y").error
