"""The last events of an asset, as a task may ask for them (Airflow 3.3)."""

from __future__ import annotations

from typing import Any

_LOOK_BACK = 20
"""Events that are looked at: other producers may emit to the same asset."""


def recent_keys(asset: Any) -> list[str]:
    """Return the partition keys of the newest events of an asset, the newest first."""
    found: list[str] = []
    for extra in _recent_extras(asset):
        keys = extra.get("partition_keys") or [extra.get("partition_key")]
        found += [str(each) for each in reversed(keys) if each]
    return found


def _recent_extras(asset: Any) -> list[dict[str, Any]]:
    from airflow.sdk.execution_time.context import InletEventsAccessor

    known = InletEventsAccessor(asset_name=asset.name, asset_uri=asset.uri)
    try:
        events = list(known.ascending(ascending=False).limit(_LOOK_BACK))
    except ImportError:  # outside of a task nobody can be asked
        return []
    return [each.extra for each in events if isinstance(each.extra, dict)]
