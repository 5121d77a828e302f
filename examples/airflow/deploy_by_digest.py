"""Deploy by digest: one run for each promotion, with the digest as its partition key (Airflow 3.3).

`promote_to_production` gives its event the key `<stage>:<seq>:<digest>`; `deploy_by_digest` gets
one run for each key, also when two promotions come at once or one goes back to an older kit.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.sdk import DAG, PartitionedAssetTimetable, task
from kitline_airflow import ModelKitPromoteOperator, modelkit_asset, partition_kit

REGISTRY = os.environ.get("MODELKIT_REGISTRY", "localhost:5000")
REPOSITORY = f"{REGISTRY}/team/iris"
PRODUCTION = modelkit_asset(REPOSITORY, stage="production")

with DAG(
    "promote_to_production",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as promote_to_production:
    ModelKitPromoteOperator(
        task_id="promote",
        reference="{{ dag_run.conf.get('reference', '" + REPOSITORY + ":staging') }}",
        stage="production",
        reason="{{ dag_run.conf.get('reason', '') }}",
        outlets=[PRODUCTION],
        partition_by_digest=True,
    )

with DAG(
    "deploy_by_digest",
    schedule=PartitionedAssetTimetable(assets=PRODUCTION),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as deploy_by_digest:

    @task
    def deploy(**context: object) -> str:
        """Deploy what the partition key names; by hand: `-c '{"reference": "…"}'`."""
        given = (context["dag_run"].conf or {}).get("reference")
        if given:
            print(f"deploying {given} by hand")
            return given
        kit = partition_kit(context, REPOSITORY)
        print(f"deploying {kit.reference}, move {kit.seq} of {kit.stage}")
        return kit.reference

    deploy()
