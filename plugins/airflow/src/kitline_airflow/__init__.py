"""Airflow operators, sensors and assets for ModelKits.

    from kitline_airflow import ModelKitPushOperator, modelkit_asset

Names are loaded on first use: importing this package imports neither Airflow nor anything heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import lazy_names

if TYPE_CHECKING:
    from kitline_airflow.assets import modelkit_asset, watch_stage, watch_tag
    from kitline_airflow.decorators import modelkit_task
    from kitline_airflow.events import KitEvent, kit_events, partition_kit, relay_partitions
    from kitline_airflow.hooks import ModelKitHook
    from kitline_airflow.links import ModelKitLink
    from kitline_airflow.notifier import ModelKitNotifier
    from kitline_airflow.operators import (
        DVCToModelKitOperator,
        KFPToModelKitOperator,
        MLflowToModelKitOperator,
        ModelKitAttestOperator,
        ModelKitExportOperator,
        ModelKitImportOperator,
        ModelKitNewDigestOperator,
        ModelKitPackOperator,
        ModelKitPromoteOperator,
        ModelKitPullOperator,
        ModelKitPushOperator,
        ModelKitRollbackOperator,
        ModelKitTagOperator,
        ModelKitVerifyOperator,
    )
    from kitline_airflow.partition_keys import PartitionKey
    from kitline_airflow.sensors import ModelKitSensor
    from kitline_airflow.triggers import (
        ModelKitConditionTrigger,
        StageMovedTrigger,
        TagMovedTrigger,
    )

__all__ = [
    "DVCToModelKitOperator",
    "KFPToModelKitOperator",
    "KitEvent",
    "MLflowToModelKitOperator",
    "ModelKitAttestOperator",
    "ModelKitConditionTrigger",
    "ModelKitExportOperator",
    "ModelKitHook",
    "ModelKitImportOperator",
    "ModelKitLink",
    "ModelKitNewDigestOperator",
    "ModelKitNotifier",
    "ModelKitPackOperator",
    "ModelKitPromoteOperator",
    "ModelKitPullOperator",
    "ModelKitPushOperator",
    "ModelKitRollbackOperator",
    "ModelKitSensor",
    "ModelKitTagOperator",
    "ModelKitVerifyOperator",
    "PartitionKey",
    "StageMovedTrigger",
    "TagMovedTrigger",
    "kit_events",
    "modelkit_asset",
    "modelkit_task",
    "partition_kit",
    "relay_partitions",
    "watch_stage",
    "watch_tag",
]

_HOMES = dict.fromkeys(__all__, ".operators") | {
    "KitEvent": ".events",
    "ModelKitConditionTrigger": ".triggers",
    "ModelKitHook": ".hooks",
    "ModelKitLink": ".links",
    "ModelKitNotifier": ".notifier",
    "ModelKitSensor": ".sensors",
    "PartitionKey": ".partition_keys",
    "StageMovedTrigger": ".triggers",
    "TagMovedTrigger": ".triggers",
    "kit_events": ".events",
    "modelkit_asset": ".assets",
    "modelkit_task": ".decorators",
    "partition_kit": ".events",
    "relay_partitions": ".events",
    "watch_stage": ".assets",
    "watch_tag": ".assets",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
