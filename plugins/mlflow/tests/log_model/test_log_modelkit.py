"""log_modelkit and attest_run: models that were logged before, and what runs learn later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.errors import SourceError, UsageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from conftest import Fitted, Tracked

PIP = ["scikit-learn"]
FACTS = "https://kitline.io/mlflow-run/v1"


def test_every_way_to_name_a_logged_model_gives_its_one_digest(ambient: Tracked) -> None:
    mlflow.register_model(f"models:/{ambient.model_id}", "iris")
    infos = [
        kitline_mlflow.log_modelkit(run_id=ambient.run_id, reference="iris:v1"),
        kitline_mlflow.log_modelkit(model_id=ambient.model_id),
        kitline_mlflow.log_modelkit(model_uri="models:/iris/1"),
    ]
    imported = kitline.import_(f"runs:/{ambient.run_id}", "b:v1", options={"again": "true"})
    assert {each.digest for each in infos} == {imported.digest}
    assert [each.model_id for each in infos] == [ambient.model_id] * 3
    assert infos[0].version is None
    tags = mlflow.MlflowClient().get_model_version("iris", "1").tags
    assert tags["kitline.digest"] == str(imported.digest)


@pytest.mark.slow  # MLflow infers requirements of autologged models in a process of its own
def test_an_autologged_model_becomes_a_kit_inside_its_run(ambient: Tracked, iris: Fitted) -> None:
    from sklearn.base import clone

    mlflow.sklearn.autolog(log_input_examples=False, silent=True, log_datasets=False)
    try:
        with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
            clone(iris.model).fit(iris.data, [0, 1, 2] * 5)
            info = kitline_mlflow.log_modelkit(
                run_id=run.info.run_id, registered_model_name="auto", aliases=["champion"]
            )
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert info.digest
    assert len(mlflow.pyfunc.load_model("models:/auto@champion").predict(iris.data)) == 15


def test_exactly_one_source_is_named() -> None:
    for given in ({}, {"run_id": "1", "model_id": "m-1"}):
        with pytest.raises(UsageError, match="name one of run_id, model_id and model_uri"):
            kitline_mlflow.log_modelkit(**given)


def test_what_a_run_learns_later_is_attached_to_its_kit(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        info = kitline_mlflow.log_model(
            iris.model, name="m", reference="iris:v1", pip_requirements=PIP
        )
        before = len(kitline.read_statements("iris:v1", FACTS))
        mlflow.log_metric("late", 0.25)
        first = kitline_mlflow.attest_run()
    client.set_tag(run.info.run_id, "kitline.other", "our own tags change nothing")
    assert kitline_mlflow.attest_run(run.info.run_id) != first  # it has ended by now
    again = kitline_mlflow.attest_run(model_id=info.model_id)
    assert again == kitline_mlflow.attest_run(run.info.run_id, reference="iris:v1")
    found = kitline.read_statements("iris:v1", FACTS)
    assert len(found) == before + 2
    assert any("late" in str(each.predicate) for each in found)
    assert kitline.inspect("iris:v1").digest == info.digest


def test_a_run_without_a_kit_cannot_be_attested(ambient: Tracked) -> None:
    with pytest.raises(SourceError, match="has no kit yet; make one with 'kitline import runs:/"):
        kitline_mlflow.attest_run(ambient.run_id)


def test_a_run_with_two_kits_asks_which_is_meant(ambient: Tracked, iris: Fitted) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        for name in ("a", "b"):
            kitline_mlflow.log_model(iris.model, name=name, pip_requirements=PIP)
    with pytest.raises(UsageError, match=r"several models with a kit: .* \(a\), .* \(b\)"):
        kitline_mlflow.attest_run(run.info.run_id)
