"""Pointer models: the keys of their MLmodel, and what MLflow does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import kitline_mlflow
import mlflow
import pytest
import yaml
from kitline.errors import InvalidReference, SourceError, TargetError
from kitline.plugin import PinnedReference
from kitline_mlflow.pointer import read_pointer, write_pointer
from mlflow.models import infer_signature

if TYPE_CHECKING:
    from kitline_mlflow.log_model_info import ModelKitInfo

    from conftest import Fitted, Tracked

PINNED = PinnedReference.parse("reg.example/team/iris@sha256:" + "0" * 64)
PIP = ["scikit-learn"]


@pytest.fixture(name="logged")
def _logged(ambient: Tracked, iris: Fitted) -> ModelKitInfo:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        return kitline_mlflow.log_model(
            iris.model,
            name="m",
            signature=infer_signature(iris.data, iris.model.predict(iris.data)),
            registered_model_name="iris",
            register_as="pointer",
            aliases=["champion"],
            pip_requirements=PIP,
        )


def read(folder: Path) -> dict[str, Any]:
    found = yaml.safe_load((folder / "MLmodel").read_text())
    assert isinstance(found, dict)
    return found


def test_an_mlmodel_holds_the_digest_and_no_weights(tmp_path: Path) -> None:
    write_pointer(tmp_path / "p", PINNED)
    assert [each.name for each in (tmp_path / "p").iterdir()] == ["MLmodel"]
    assert read(tmp_path / "p") == {
        "flavors": {
            "modelkit": {
                "digest": str(PINNED.digest),
                "path": "model",
                "reference": str(PINNED),
            },
            "python_function": {"loader_module": "kitline_mlflow"},
        }
    }
    assert read_pointer(tmp_path / "p") == PINNED


def test_signature_environment_and_python_are_those_of_the_model(
    tracked: Tracked, tmp_path: Path
) -> None:
    write_pointer(tmp_path / "p", PINNED, tracked.model_folder, ids={"model_id": "m-1"})
    inner, pointer = read(tracked.model_folder), read(tmp_path / "p")
    wrapper = pointer["flavors"]["python_function"]
    assert wrapper["env"] == inner["flavors"]["python_function"]["env"]
    assert wrapper["python_version"] == inner["flavors"]["python_function"]["python_version"]
    assert pointer["mlflow_version"] == inner["mlflow_version"]
    assert pointer["model_id"] == "m-1"
    assert "run_id" not in pointer
    assert "data" not in wrapper
    inner_text = (tracked.model_folder / "requirements.txt").read_text().rstrip()
    assert (tmp_path / "p/requirements.txt").read_text() == f"{inner_text}\nkitline-mlflow\n"
    conda = yaml.safe_load((tmp_path / "p/conda.yaml").read_text())
    (pip,) = [each["pip"] for each in conda["dependencies"] if isinstance(each, dict)]
    assert pip[-1] == "kitline-mlflow"


def test_mlflow_loads_and_predicts_with_a_pointer_and_checks_its_schema(
    logged: ModelKitInfo, iris: Fitted
) -> None:
    assert logged.version
    for uri in ("models:/iris@champion", logged.version.uri, logged.version.source):
        model = mlflow.pyfunc.load_model(uri)
        assert [int(each) for each in model.predict(iris.data)] == iris.predictions
    assert model.metadata.signature == logged.signature
    with pytest.raises(mlflow.exceptions.MlflowException, match="schema"):
        model.predict("no table")


def test_mlflow_describes_registers_and_runs_a_pointer(logged: ModelKitInfo, iris: Fitted) -> None:
    assert logged.version
    described = mlflow.models.get_model_info(logged.version.source)
    assert described.flavors["modelkit"]["digest"] == str(logged.digest)
    assert described.signature == logged.signature
    assert mlflow.register_model(logged.version.source, "other").source == logged.version.source
    dependencies = Path(mlflow.pyfunc.get_model_dependencies(logged.version.source)).read_text()
    assert "kitline-mlflow" in dependencies


def test_the_flavor_that_wrote_the_model_is_reached_through_load_model(
    logged: ModelKitInfo, iris: Fitted
) -> None:
    assert logged.version
    for uri in (logged.version.source, "models:/iris@champion", str(logged.reference)):
        estimator = kitline_mlflow.load_model(uri)
        assert [int(each) for each in estimator.predict(iris.data)] == iris.predictions
    assert kitline_mlflow.load_model(logged.model_uri, flavor="sklearn").C == iris.model.C
    with pytest.raises(mlflow.exceptions.MlflowException, match="sklearn"):
        mlflow.sklearn.load_model(logged.version.source)


def test_save_model_writes_a_pointer_that_loads(
    logged: ModelKitInfo, iris: Fitted, tmp_path: Path
) -> None:
    kitline_mlflow.save_model(str(logged.reference), tmp_path / "saved")
    model = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    assert [int(each) for each in model.predict(iris.data)] == iris.predictions
    with pytest.raises(TargetError, match="not empty"):
        kitline_mlflow.save_model(str(logged.reference), tmp_path / "saved")
    with pytest.raises(InvalidReference):
        kitline_mlflow.save_model("iris:v1", tmp_path / "other")


def test_mlflows_own_way_to_log_a_flavor_logs_a_pointer(
    logged: ModelKitInfo, iris: Fitted, ambient: Tracked
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = mlflow.models.Model.log(
            artifact_path=None,
            name="pointer",
            flavor=kitline_mlflow,
            reference=str(logged.reference),
        )
    assert set(info.flavors) == {"modelkit", "python_function"}
    model = mlflow.pyfunc.load_model(info.model_uri)
    assert [int(each) for each in model.predict(iris.data)] == iris.predictions
    assert model.metadata.run_id == run.info.run_id
    assert info.signature is not None
    assert model.metadata.signature == info.signature


def test_a_pointer_whose_digest_and_reference_differ_is_refused(tmp_path: Path) -> None:
    write_pointer(tmp_path / "p", PINNED)
    text = (tmp_path / "p/MLmodel").read_text()
    other = text.replace(f"digest: {PINNED.digest}", "digest: sha256:" + "1" * 64)
    (tmp_path / "p/MLmodel").write_text(other)
    with pytest.raises(SourceError, match="names the digest 'sha256:1111"):
        read_pointer(tmp_path / "p")


@pytest.mark.parametrize("text", ["- a", "a: [", "!!python/object/apply:os.system [ls]"])
def test_an_inner_mlmodel_that_is_not_mlflows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match="the MLmodel is not"):
        write_pointer(tmp_path / "p", PINNED, {"MLmodel": text.encode()})


def test_importing_a_pointer_answers_its_kit_and_cannot_make_it_anew(logged: ModelKitInfo) -> None:
    assert logged.version
    for number, source in enumerate((logged.version.source, "models:/iris@champion")):
        found = kitline.import_(source, f"found:v{number}")
        assert found.digest == logged.digest
        with pytest.raises(SourceError) as caught:
            kitline.import_(source, "again:v1", options={"again": "true"})
        assert f"is a pointer to the kit '{logged.reference}'" in str(caught.value)
        assert "because of '-o again=true'; MLflow has no other files of it" in str(caught.value)
