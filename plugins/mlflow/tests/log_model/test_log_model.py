"""log_model: MLflow gets its model as before, and a registry the kit of the same files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.cli.main import main
from kitline.errors import NotPushed, UsageError
from kitline.testing.command_line import CommandLine
from kitline.testing.faults import MANIFESTS, Fault
from mlflow import MlflowClient
from mlflow.models.model import ModelInfo

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

    from conftest import Fitted, Tracked

PIP = ["scikit-learn"]
DENIED = Fault(kind="answer", methods=("PUT",), path=MANIFESTS, status=403, times=1)


def again(uri: str) -> kitline.Digest:
    """Import what was logged once more, whatever MLflow remembers of it."""
    return kitline.import_(uri, "again:v1", options={"again": "true"}).digest


def test_the_value_is_mlflows_own_with_digest_reference_and_receipt(
    ambient: Tracked, iris: Fitted, registry: LocalRegistry
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = kitline_mlflow.log_model(
            iris.model, name="iris", reference=f"{registry.host}/team/iris:v1", pip_requirements=PIP
        )
    assert isinstance(info, ModelInfo)
    assert (info.model_uri, info.run_id) == (f"models:/{info.model_id}", run.info.run_id)
    assert {"sklearn", "python_function"} == set(info.flavors)
    assert info.digest
    assert info.receipt
    assert str(info.reference) == f"{registry.host}/team/iris@{info.digest}"
    assert (info.receipt.digest, info.receipt.tag) == (info.digest, "v1")
    assert info.warnings == ()
    assert kitline.inspect(f"{registry.host}/team/iris:v1").digest == info.digest


def test_a_later_import_of_the_same_model_gives_the_same_digest(
    ambient: Tracked,
    iris: Fitted,
    client: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = kitline_mlflow.log_model(iris.model, name="iris", pip_requirements=PIP)
        mlflow.log_metric("late", 0.5)
        mlflow.set_tag("late", "tag")
    client.update_run(run.info.run_id, name="renamed")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert again(info.model_uri) == info.digest
    assert again(f"runs:/{run.info.run_id}") == info.digest


def test_run_and_model_are_found_by_the_digest_and_its_parents(
    ambient: Tracked, iris: Fitted, client: MlflowClient, registry: LocalRegistry
) -> None:
    Path("data").mkdir()
    Path("data/rows.csv").write_text("1,2\n")
    data = kitline.pack("data", "rows:v1")
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = kitline_mlflow.log_model(
            iris.model,
            name="iris",
            reference=f"{registry.host}/iris:v1",
            parents=[data],
            pip_requirements=PIP,
        )
    query = f"tags.`kitline.digest` = '{info.digest}'"
    (found,) = client.search_runs([ambient.experiment_id], query)
    (model,) = client.search_logged_models([ambient.experiment_id], query)
    assert (found.info.run_id, model.model_id) == (run.info.run_id, info.model_id)
    for tags in (found.data.tags, model.tags):
        assert tags["kitline.reference"] == str(info.reference)
        assert tags["kitline.parent.digest"] == str(data.digest)
    assert info.receipt
    assert [each.digest for each in info.receipt.parents] == [data.digest]
    assert json.loads(model.params["kitline.parents"]) == [
        {"digest": str(data.digest), "reference": str(data.reference), "role": "data"}
    ]


def test_parents_that_the_run_loaded_before_are_recorded_and_later_ones_are_not(
    ambient: Tracked, iris: Fitted
) -> None:
    kits = []
    for text in ("1", "2"):
        Path(text).mkdir()
        Path(text, "rows.csv").write_text(text)
        kits.append(kitline.pack(text, f"rows:v{text}"))
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        kitline_mlflow.load_modelkit(str(kits[0].reference))
        info = kitline_mlflow.log_model(iris.model, name="iris", pip_requirements=PIP)
        kitline_mlflow.load_modelkit(str(kits[1].reference))
    assert info.receipt
    assert [each.digest for each in info.receipt.parents] == [kits[0].digest]
    assert again(info.model_uri) == info.digest


def test_outside_a_run_the_model_is_packed_without_one_and_no_run_starts(
    ambient: Tracked, iris: Fitted, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", ambient.experiment_id)
    before = len(client.search_runs([ambient.experiment_id]))
    info = kitline_mlflow.log_model(iris.model, name="iris", pip_requirements=PIP)
    assert info.run_id is None
    assert len(client.search_runs([ambient.experiment_id])) == before
    assert client.get_logged_model(str(info.model_id)).tags["kitline.digest"] == str(info.digest)
    assert again(info.model_uri) == info.digest


def test_without_a_reference_the_kit_lies_below_the_registry_under_experiment_and_name(
    ambient: Tracked,
    iris: Fitted,
    client: MlflowClient,
    registry: LocalRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KITLINE_REGISTRY", f"{registry.host}/team")
    experiment = client.create_experiment("My Expériment v1.2 (Q3)")
    with mlflow.start_run(experiment_id=experiment):
        info = kitline_mlflow.log_model(iris.model, name="Iris Model", pip_requirements=PIP)
    name = f"{registry.host}/team/my-experiment-v1-2-q3/iris-model"
    assert str(info.reference) == f"{name}@{info.digest}"
    assert info.receipt
    assert info.receipt.tag == info.model_id


def test_without_a_registry_the_kit_lies_in_the_local_store(ambient: Tracked, iris: Fitted) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(iris.model, name="model", pip_requirements=PIP)
    assert str(info.reference) == f"iris/model@{info.digest}"
    assert kitline.inspect(f"iris/model:{info.model_id}").digest == info.digest


def test_placeholders_are_filled_in(ambient: Tracked, iris: Fitted) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = kitline_mlflow.log_model(
            iris.model,
            name="m",
            reference="team/{experiment}-{name}:run-{run_id}",
            pip_requirements=PIP,
        )
    assert info.receipt
    assert (info.receipt.repository, info.receipt.tag) == (
        "team/iris-m", f"run-{run.info.run_id}"
    )  # fmt: skip


def test_push_false_packs_into_the_local_store_only(
    ambient: Tracked, iris: Fitted, registry: LocalRegistry
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(
            iris.model,
            name="m",
            reference=f"{registry.host}/team/iris:v1",
            push=False,
            pip_requirements=PIP,
        )
    assert str(info.reference) == f"team/iris@{info.digest}"
    pushed = kitline.push("team/iris:v1", f"{registry.host}/team/iris:v1")
    assert pushed.digest == info.digest
    model = MlflowClient().get_logged_model(str(info.model_id))
    assert model.tags["kitline.reference"] == str(pushed.reference)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reference": "team/Iris:v1"}, "must be lower case"),
        (
            {"reference": "iris@sha256:" + "0" * 64},
            "names a digest, which is known only afterwards",
        ),
        ({"reference": "iris:{model}"}, "holds {model}, not one of {experiment}, {run_id}, {name}"),
        ({"parents": ["iris:v1"]}, "parent 'iris:v1' is neither a digest nor a pinned reference"),
        ({"parents": "sha256:" + "0" * 64}, "write parents=["),
        ({"keep": "kit"}, "keep is 'kit', neither 'both' nor 'registry'"),
        ({"on_push_error": "ignore"}, "neither 'raise' nor 'warn'"),
        ({"register_as": "kit"}, "register_as is 'kit', not one of model, modelkit, pointer"),
        ({"aliases": ["champion"]}, "give registered_model_name"),
        ({"registered_model_name": "a", "aliases": ["v1"]}, "none that MLflow takes"),
        ({"registered_model_name": "a/b"}, "holds '/' or ':'"),
        ({"datasets": "missing.csv"}, "datasets: there is no file or folder"),
        ({"flavor": "no_such"}, "cannot use flavor 'no_such'"),
        ({"flavor": json}, "module 'json' is no flavor"),
        ({"pip_requirement": PIP}, "takes no argument 'pip_requirement'"),
        ({"artifact_path": "m"}, "log_model takes no 'artifact_path'"),
    ],
)
def test_what_is_wrong_is_said_before_mlflow_makes_a_model(
    ambient: Tracked, iris: Fitted, client: MlflowClient, wrong: dict[str, object], said: str
) -> None:
    before = len(client.search_logged_models([ambient.experiment_id]))
    with mlflow.start_run(experiment_id=ambient.experiment_id), pytest.raises(UsageError) as caught:
        kitline_mlflow.log_model(iris.model, name="m", **wrong)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert len(client.search_logged_models([ambient.experiment_id])) == before


@pytest.mark.usefixtures("ambient")
def test_run_id_in_a_reference_needs_a_run(iris: Fitted) -> None:
    with pytest.raises(UsageError, match="no run is active"):
        kitline_mlflow.log_model(iris.model, name="m", reference="iris:{run_id}")


def test_a_failed_push_leaves_the_model_ready_and_names_the_command_that_goes_on(
    ambient: Tracked, iris: Fitted, client: MlflowClient, registry: LocalRegistry
) -> None:
    to = f"{registry.host}/iris:v1"
    registry.inject(DENIED)
    with mlflow.start_run(experiment_id=ambient.experiment_id), pytest.raises(NotPushed) as caught:
        kitline_mlflow.log_model(iris.model, name="m", reference=to, pip_requirements=PIP)
    model_id = caught.value.source.removeprefix("models:/")
    model = client.get_logged_model(model_id)
    assert str(model.status) == "READY"
    assert "kitline.digest" not in model.tags
    assert f"kitline import models:/{model_id} -t {to}" in str(caught.value)
    outcome = CommandLine(main)(*shlex.split(caught.value.command)[1:])
    assert outcome.code == 0
    tagged = client.get_logged_model(model_id).tags["kitline.reference"]
    assert outcome.pinned == tagged


def test_on_push_error_warn_returns_what_mlflow_made(
    ambient: Tracked, iris: Fitted, client: MlflowClient, registry: LocalRegistry
) -> None:
    registry.inject(DENIED)
    with (
        mlflow.start_run(experiment_id=ambient.experiment_id) as run,
        pytest.warns(UserWarning, match="go on with 'kitline import models:/m-"),
    ):
        info = kitline_mlflow.log_model(
            iris.model,
            name="m",
            reference=f"{registry.host}/iris:v1",
            on_push_error="warn",
            registered_model_name="iris",
            pip_requirements=PIP,
        )
    assert (info.digest, info.reference, info.receipt, info.version) == (None, None, None, None)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    assert client.search_model_versions("name='iris'") == []
