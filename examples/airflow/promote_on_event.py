"""Promote on an asset event: whenever a model lands, it is looked at and goes to staging.

One run may have got several events; each kit is taken in turn.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task
from kitline_airflow import (
    ModelKitPromoteOperator,
    ModelKitPullOperator,
    kit_events,
    modelkit_asset,
)

REGISTRY = os.environ.get("MODELKIT_REGISTRY", "localhost:5000")
MODELS = modelkit_asset(f"{REGISTRY}/team/iris")
STAGES = modelkit_asset(f"{REGISTRY}/team/iris", stage="staging")
WORK = Path(os.environ.get("MODELKIT_WORK", tempfile.gettempdir()))

with DAG(
    "promote_on_event",
    schedule=[MODELS],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as promote_on_event:

    @task
    def newest(**context: object) -> str:
        """Return the newest kit that started this run; by hand: `-c '{"reference": "…"}'`."""
        kits = kit_events(context)
        given = context["dag_run"].conf or {}
        return kits[-1].reference if kits else given["reference"]

    kit = newest()
    files = ModelKitPullOperator(
        task_id="pull", reference=kit, folder=str(WORK / "{{ run_id | replace(':', '-') }}")
    )

    @task
    def evaluate(folder: str) -> None:
        threshold = json.loads((Path(folder) / "model.json").read_text())["threshold"]
        if not 1.5 < threshold < 4.5:
            raise ValueError(f"the model is no good: its threshold is {threshold}")

    promote = ModelKitPromoteOperator(
        task_id="promote",
        reference=kit,
        stage="staging",
        reason="evaluated by {{ dag.dag_id }}",
        outlets=[STAGES],
    )
    evaluate(files.output["folder"]) >> promote
