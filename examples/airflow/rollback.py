"""Roll back: production goes back to the last kit that was good, and that is on record.

airflow dags test roll_back -c '{"reason": "wrong predictions since noon"}'
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS
from kitline_airflow import ModelKitRollbackOperator, modelkit_asset

REGISTRY = os.environ.get("MODELKIT_REGISTRY", "localhost:5000")
REPOSITORY = f"{REGISTRY}/team/iris"

with DAG(
    "roll_back", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False
) as roll_back:
    ModelKitRollbackOperator(
        task_id="roll_back",
        repository=REPOSITORY,
        stage="production",
        to="{{ dag_run.conf.get('to', '') }}",
        reason="{{ dag_run.conf.get('reason', '') }}",
        outlets=[modelkit_asset(REPOSITORY, stage="production")],
        partition_by_digest=AIRFLOW_V_3_3_PLUS,  # earlier ones have no such keys
    )
