"""Operators as DAG files hold them: serialised, with template fields and link."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import kitline_airflow
import pytest
from airflow.providers.common.compat.sdk import DAG
from contexts import make_context

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ModelKitAttestOperator": {"reference": "r", "type": "evaluation", "predicate": {"a": 1}},
    "ModelKitExportOperator": {"reference": "r", "target": "mlflow", "options": {"register": "x"}},
    "ModelKitImportOperator": {"source": "mlflow://runs/1", "to": "team/iris:v1"},
    "MLflowToModelKitOperator": {"run_id": "1", "to": "team/iris:v1"},
    "DVCToModelKitOperator": {"path": "data", "rev": "v1", "to": "team/data:v1"},
    "KFPToModelKitOperator": {"run_folder": "/run", "to": "team/iris:v1"},
    "ModelKitNewDigestOperator": {"reference": "r"},
    "ModelKitPackOperator": {"folder": "model", "to": "team/iris:v1"},
    "ModelKitPromoteOperator": {"reference": "r", "stage": "production", "require": ["signed"]},
    "ModelKitPullOperator": {"repository": "team/iris", "digest": "d", "folder": "x"},
    "ModelKitPushOperator": {"folder": "model", "to": "team/iris:v1", "parents": ["r"]},
    "ModelKitRollbackOperator": {"repository": "team/iris", "stage": "production"},
    "ModelKitTagOperator": {"reference": "r", "tag": "candidate"},
    "ModelKitVerifyOperator": {"reference": "r", "key": "k.pub"},
    "ModelKitSensor": {"reference": "team/iris:v1", "deferrable": True},
}


def test_there_are_arguments_for_every_operator() -> None:
    named = {name for name in kitline_airflow.__all__ if name.endswith(("Operator", "Sensor"))}

    assert set(ARGUMENTS) == named


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_operator_is_serialised_with_its_template_fields_and_link(name: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("d", schedule=None, start_date=start) as dag:
        task = getattr(kitline_airflow, name)(task_id="t", **ARGUMENTS[name])

    text = json.dumps(serialise(dag))

    assert f'"{name}"' in text
    assert "_link_ModelKitLink" in text or "ModelKitLink" in text
    assert "modelkit_conn_id" in task.template_fields
    assert set(ARGUMENTS[name]) - {"deferrable"} <= set(task.template_fields), "all are rendered"


def serialise(dag: Any) -> Any:
    """Return a DAG as Airflow keeps it."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:  # Airflow 2
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    return Serialization.to_dict(dag)


def test_taskflow_says_what_to_return() -> None:
    from kitline_airflow.decorators import _ModelKitDecoratedOperator

    operator = _ModelKitDecoratedOperator(
        task_id="t", python_callable=lambda: 3, op_args=[], op_kwargs={}, to="team/iris:v1"
    )

    with pytest.raises(TypeError, match="returned int; return a folder or a KitTree"):
        operator.execute(make_context())
