"""Airflow operators, sensors and assets for ModelKits.

    from kitline_airflow import ModelKitPushOperator, modelkit_asset

Names are loaded on first use: importing this package imports neither Airflow nor anything heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

_HOMES = {
    "KitEvent": "events",
    "ModelKitConditionTrigger": "triggers",
    "ModelKitHook": "hooks",
    "ModelKitLink": "links",
    "ModelKitNotifier": "notifier",
    "ModelKitSensor": "sensors",
    "PartitionKey": "partition_keys",
    "StageMovedTrigger": "triggers",
    "TagMovedTrigger": "triggers",
    "kit_events": "events",
    "modelkit_asset": "assets",
    "modelkit_task": "decorators",
    "partition_kit": "events",
    "relay_partitions": "events",
    "watch_stage": "assets",
    "watch_tag": "assets",
}


# Not kitline's `lazy_names`: Airflow loads this for all DAGs, and may not fail where kitline does.
def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "operators")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
