"""The last events of an asset, as a task may ask for them (Airflow 3.3)."""

from __future__ import annotations

from typing import Any

_LOOK_BACK = 20
"""Events that are looked at: other producers may emit to the same asset."""


def last_extra(asset: Any, needed: str) -> dict[str, Any] | None:
    """Return the extra of the newest event of an asset that has the field `needed`."""
    from airflow.sdk.execution_time.context import InletEventsAccessor

    found = InletEventsAccessor(asset_name=asset.name, asset_uri=asset.uri)
    for event in found.ascending(ascending=False).limit(_LOOK_BACK):
        extra = event.extra
        if isinstance(extra, dict) and extra.get(needed):
            return extra
    return None
