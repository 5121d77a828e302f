"""One template database with one run per session; tests that write take a copy of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # tests call nobody
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

NOISE = (
    # MLflow 3.17 uses loader options that SQLAlchemy 2.1 means to drop
    "ignore::sqlalchemy.exc.SADeprecationWarning",
    # importing MLflow makes models of its own that it then warns of
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for each in NOISE:
                item.add_marker(pytest.mark.filterwarnings(each))


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A tracking database with a finished run that logged one model."""

    uri: str
    experiment_id: str
    run_id: str
    model_id: str
    model_folder: Path


@pytest.fixture(scope="session", name="template")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """Make the database once: the first one in a process costs seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    return _train(folder)


def _train(folder: Path) -> Tracked:
    import mlflow
    from mlflow import MlflowClient
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    ambient = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("iris", artifact_location=str(folder / "artifacts"))
        data, labels = load_iris(return_X_y=True)
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_params({"C": 0.5, "max_iter": 200})
            model = LogisticRegression(C=0.5, max_iter=200).fit(data, labels)
            logged = mlflow.sklearn.log_model(
                model, name="iris", pip_requirements=["scikit-learn"], params={"solver": "lbfgs"}
            )
            mlflow.log_metric("accuracy", model.score(data, labels))
        found = client.get_logged_model(logged.model_id)
        return Tracked(
            uri=uri,
            experiment_id=experiment,
            run_id=run.info.run_id,
            model_id=found.model_id,
            model_folder=Path(found.artifact_location),
        )
    finally:
        mlflow.set_tracking_uri(ambient)


@pytest.fixture(name="tracked")
def _tracked(template: Tracked, tmp_path: Path) -> Tracked:
    """Return a copy of the database; the artifacts are the template's."""
    copied = tmp_path / "mlflow.db"
    shutil.copy(template.uri.removeprefix("sqlite:///"), copied)
    return Tracked(**{**vars(template), "uri": f"sqlite:///{copied}"})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own: MLflow makes databases where it stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
