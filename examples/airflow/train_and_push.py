"""Train and push: a function returns a folder, the task returns the digest of the kit made of it.

airflow dags test train_and_push -c '{"version": "v1"}'
"""

from __future__ import annotations

import csv
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task
from kitline_airflow import ModelKitPullOperator, ModelKitPushOperator, modelkit_asset

REGISTRY = os.environ.get("MODELKIT_REGISTRY", "localhost:5000")
DATA = modelkit_asset(f"{REGISTRY}/team/iris-data")
MODELS = modelkit_asset(f"{REGISTRY}/team/iris")
WORK = Path(os.environ.get("MODELKIT_WORK", tempfile.gettempdir()))

ROWS = [
    (5.1, 1.4, "setosa"),
    (4.9, 1.3, "setosa"),
    (6.3, 4.9, "versicolor"),
    (6.0, 4.5, "versicolor"),
]

with DAG(
    "train_and_push",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"version": "dev"},
) as train_and_push:

    @task
    def collect_data() -> str:
        folder = WORK / "iris-data"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "train.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("sepal", "petal", "label"), *ROWS])
        return str(folder)

    data = ModelKitPushOperator(
        task_id="push_data",
        folder=collect_data(),
        to=f"{REGISTRY}/team/iris-data:latest",
        outlets=[DATA],
    )
    files = ModelKitPullOperator(
        task_id="pull_data", reference=data.output, folder=str(WORK / "iris-pulled")
    )

    @task.modelkit(
        to=REGISTRY + "/team/iris:{{ params.version }}",
        parents=[data.output],
        outlets=[MODELS],
    )
    def train(folder: str) -> str:
        with (Path(folder) / "train.csv").open() as file:
            rows = list(csv.DictReader(file))
        petals = {
            label: [float(row["petal"]) for row in rows if row["label"] == label]
            for label in ("setosa", "versicolor")
        }
        means = {label: sum(found) / len(found) for label, found in petals.items()}
        made = WORK / "iris-model"
        made.mkdir(parents=True, exist_ok=True)
        threshold = sum(means.values()) / 2
        (made / "model.json").write_text(f'{{"threshold": {threshold:.3f}}}\n')
        return str(made)

    train(files.output["folder"])
