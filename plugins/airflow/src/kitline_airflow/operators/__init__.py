"""Operators: one for each verb; importing this package loads Airflow and nothing else."""

from kitline_airflow.operators.attest import ModelKitAttestOperator
from kitline_airflow.operators.export import ModelKitExportOperator
from kitline_airflow.operators.import_ import ModelKitImportOperator
from kitline_airflow.operators.import_tools import (
    DVCToModelKitOperator,
    KFPToModelKitOperator,
    MLflowToModelKitOperator,
)
from kitline_airflow.operators.new_digest import ModelKitNewDigestOperator
from kitline_airflow.operators.pack import ModelKitPackOperator
from kitline_airflow.operators.promote import ModelKitPromoteOperator
from kitline_airflow.operators.pull import ModelKitPullOperator
from kitline_airflow.operators.push import ModelKitPushOperator
from kitline_airflow.operators.rollback import ModelKitRollbackOperator
from kitline_airflow.operators.tag import ModelKitTagOperator
from kitline_airflow.operators.verify import ModelKitVerifyOperator

__all__ = [
    "DVCToModelKitOperator",
    "KFPToModelKitOperator",
    "MLflowToModelKitOperator",
    "ModelKitAttestOperator",
    "ModelKitExportOperator",
    "ModelKitImportOperator",
    "ModelKitNewDigestOperator",
    "ModelKitPackOperator",
    "ModelKitPromoteOperator",
    "ModelKitPullOperator",
    "ModelKitPushOperator",
    "ModelKitRollbackOperator",
    "ModelKitTagOperator",
    "ModelKitVerifyOperator",
]
