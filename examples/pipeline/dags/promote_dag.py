"""Airflow: evaluate a model on held-out data, say so beside its kit, promote it; and the way back.

Each DAG gets one pinned reference. What the model was made from, its kit says.
"""

import os
from typing import Any

from airflow.sdk import Asset, Param, dag, task
from kitline_airflow import (
    ModelKitAttestOperator,
    ModelKitPromoteOperator,
    ModelKitRollbackOperator,
)

STAGE = "production"
DATA_KITS, MODEL_KITS = os.environ["DATA_KITS"], os.environ["MODEL_KITS"]
IN_PRODUCTION = Asset("cancer-in-production")
"""Its events say which kit it is now; other DAGs may be scheduled on them."""


@dag(schedule=None, params={"model": Param(type="string"), "reason": Param("", type="string")})
def promote_cancer() -> None:
    model, reason = "{{ params.model }}", "{{ params.reason }}"

    @task
    def evaluate(model: str) -> dict[str, Any]:
        """Measure a model, loaded by digest, on data that it has not seen."""
        import kitline
        import mlflow
        import pandas
        from kitline_mlflow import load_modelkit

        [data] = kitline.inspect(model).parents
        folder = load_modelkit(f"{DATA_KITS}@{data['digest']}")
        table = pandas.read_csv(folder / "data/held-out.csv")
        truth = table.pop("malignant") == 1
        loaded = mlflow.pyfunc.load_model(str(load_modelkit(model, path="model")))
        found = loaded.predict(table) == 1
        return {
            "data": data["digest"],
            "metrics": {
                "accuracy": float((found == truth).mean()),
                "malignant_found": float(found[truth].mean()),
            },
        }

    attest = ModelKitAttestOperator(
        task_id="attest", reference=model, type="evaluation", predicate=evaluate(model)
    )
    ModelKitPromoteOperator(
        task_id="promote",
        reference=attest.output,
        stage=STAGE,
        reason=reason,
        require=["attestation:evaluation", "metric:accuracy:ge:0.9"],
        outlets=[IN_PRODUCTION],
    )


@dag(schedule=None, params={"reason": Param("", type="string")})
def roll_back_cancer() -> None:
    ModelKitRollbackOperator(
        task_id="roll_back",
        repository=MODEL_KITS,
        stage=STAGE,
        reason="{{ params.reason }}",
        outlets=[IN_PRODUCTION],
    )


promotion = promote_cancer()
way_back = roll_back_cancer()
