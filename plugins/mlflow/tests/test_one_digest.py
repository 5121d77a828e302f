"""One model, one digest: whatever happens to the run later, and however the model is read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import kitline_mlflow
import mlflow
import pytest
from kitline.errors import SourceError
from kitline.plugin import Digest, ImportContext
from kitline.store.memory import MemoryStore
from kitline.testing.plugin_contracts import pack_collected
from kitline_mlflow.facts import PREDICATE_TYPE
from kitline_mlflow.facts_history import read_history
from kitline_mlflow.importer import collect
from mlflow import MlflowClient
from mlflow.entities import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.plugin import Collected

    from conftest import MlflowServer

pytestmark = pytest.mark.slow

ELSEWHERE = """
import sys
from kitline.plugin import ImportContext
from kitline.store.memory import MemoryStore
from kitline.testing.plugin_contracts import pack_collected
from kitline_mlflow.importer import collect
kit = collect(sys.argv[1], {"tracking_uri": sys.argv[2]}, ImportContext())
print(pack_collected(kit, MemoryStore()).digest)
"""


def import_(uri: str, source: str, **options: str) -> Collected:
    return collect(source, {"tracking_uri": uri, **options}, ImportContext())


def digest_of(collected: Collected) -> Digest:
    return pack_collected(collected, MemoryStore()).digest


@pytest.fixture(name="experiment")
def _experiment(mlflow_server: MlflowServer, tmp_path: Path) -> Iterator[str]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(mlflow_server.url)
    name = f"{tmp_path.parent.name}-{tmp_path.name}"
    yield MlflowClient(mlflow_server.url).create_experiment(name)
    mlflow.set_tracking_uri(before)


def test_a_model_keeps_its_digest_from_the_active_run_to_another_folder(
    mlflow_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    url = mlflow_server.url
    client = MlflowClient(url)
    with mlflow.start_run(experiment_id=experiment) as run:
        fitted = LogisticRegression(max_iter=200).fit(*load_iris(return_X_y=True))
        logged = mlflow.sklearn.log_model(fitted, name="iris", pip_requirements=["scikit-learn"])
        source = f"models:/{logged.model_id}"
        within = digest_of(import_(url, source))
        mlflow.log_metric("late", 1.0)
        mlflow.set_tag("late", "yes")
        client.update_run(run.info.run_id, name="renamed")
    assert digest_of(import_(url, f"mlflow://runs/{run.info.run_id}")) == within

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    command = [sys.executable, "-c", ELSEWHERE, source, url]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(within)

    database = f"sqlite:///{mlflow_server.artifacts.parent / 'mlflow.db'}"
    stored = client.get_logged_model(logged.model_id).artifact_location
    (weights,) = mlflow_server.artifacts.rglob(f"{logged.model_id}/artifacts/model.skops")
    assert stored.startswith("mlflow-artifacts:")
    with pytest.raises(SourceError, match="cannot read artifacts"):
        import_(database, source)  # only the server knows where its artifacts lie
    with weights.open("ab") as file:
        file.write(b"\0")
    assert digest_of(import_(url, source)) != within


def test_a_database_and_the_server_in_front_of_it_give_one_digest(
    mlflow_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    from sklearn.linear_model import LinearRegression

    client = MlflowClient(mlflow_server.url)
    shared = client.create_experiment(f"shared-{experiment}", str(tmp_path / "artifacts"))
    with mlflow.start_run(experiment_id=shared):
        mlflow.set_tag("kitline.input.digest", str(Digest.of(b"data")))
        fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
        logged = kitline_mlflow.log_model(
            fitted, name="line", reference="line:v1", pip_requirements=["scikit-learn"]
        )
    database = f"sqlite:///{mlflow_server.artifacts.parent / 'mlflow.db'}"
    kits = [import_(uri, str(logged.model_uri)) for uri in (mlflow_server.url, database)]
    assert {str(digest_of(each)) for each in kits} == {str(logged.digest)}
    assert [str(each.digest) for each in kits[1].parents] == [str(Digest.of(b"data"))]


def test_names_that_the_server_cannot_pass_on_are_reported(
    mlflow_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    client = MlflowClient(mlflow_server.url)
    run_id = client.create_run(experiment).info.run_id
    names = ["plain.txt", "a b.txt", "ü.txt", "100%.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
        client.log_artifact(run_id, str(tmp_path / name))
    client.set_terminated(run_id)
    source = f"mlflow://runs/{run_id}"
    kit = import_(mlflow_server.url, source)
    found = [each.path.removeprefix("artifacts/") for each in kit.tree.entries()]
    assert set(names) <= set(found)
    digest_of(kit)
    folder = next(mlflow_server.artifacts.rglob(f"{run_id}/artifacts"))
    for name in ("a#b", "a%20b.txt"):
        (folder / name).write_text(name)
        with pytest.raises(SourceError, match=f"holds '{name}', a name that MLflow's HTTP store"):
            import_(mlflow_server.url, source)
        (folder / name).unlink()


def test_a_hundred_thousand_points_of_a_thousand_metrics_are_kept(
    mlflow_server: MlflowServer, experiment: str
) -> None:
    client = MlflowClient(mlflow_server.url)
    run_id = client.create_run(experiment).info.run_id
    for start in range(0, 1000, 10):
        points = [
            Metric(f"group/{key:04}", key + step / 7, timestamp=1_000_000 + step, step=step)
            for key in range(start, start + 10)
            for step in range(100)
        ]
        client.log_batch(run_id, metrics=points)
    client.set_terminated(run_id)
    kit = import_(mlflow_server.url, f"mlflow://runs/{run_id}")
    (facts,) = [each for each in kit.statements if each.predicate_type == PREDICATE_TYPE]
    history = read_history(facts.predicate["run"]["history"])
    assert len(history) == 1000
    assert sum(len(points) for points in history.values()) == 100_000
    assert history["group/0999"][99] == (1_000_099, 99, 999 + 99 / 7)


def test_three_thousand_files_are_all_there(mlflow_server: MlflowServer, experiment: str) -> None:
    client = MlflowClient(mlflow_server.url)
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "first", "many/0.txt")
    (first,) = mlflow_server.artifacts.rglob(f"{run_id}/artifacts/many/0.txt")
    for number in range(1, 3000):
        (first.parent / f"{number}.txt").write_text(f"file {number}")
    client.set_terminated(run_id)
    kit = import_(mlflow_server.url, f"mlflow://runs/{run_id}")
    files = [each for each in kit.tree.entries() if each.path.startswith("artifacts/many/")]
    assert len(files) == 3000
    packed = pack_collected(kit, MemoryStore())  # each file is one request
    assert sum(layer.size for layer in packed.layers) > 3000 * 512
