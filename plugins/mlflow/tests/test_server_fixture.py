"""The shared server that other tests stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

if TYPE_CHECKING:
    from conftest import MlflowServer


@pytest.mark.slow
def test_the_server_of_the_test_run_answers(mlflow_server: MlflowServer) -> None:
    client = MlflowClient(mlflow_server.url)
    experiment = client.create_experiment("fixture")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "text", "a.txt")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert next(mlflow_server.artifacts.rglob("a.txt")).read_text() == "text"
