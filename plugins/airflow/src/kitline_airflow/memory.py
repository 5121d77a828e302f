"""Memory: what a watcher saw last, kept by Airflow 3.3 for the watched asset."""

from __future__ import annotations

from typing import Any

KEY = "kitline_seen"


class Memory:
    """Reads and writes one note; before 3.3 there is nowhere to keep it, and nothing is kept."""

    def __init__(self, store: Any, asset: str | None) -> None:
        self._store = store if store is None or asset is None else _of_asset(store, asset)

    async def read(self) -> dict[str, Any]:
        """Return the note, empty if there is none."""
        if self._store is None:
            return {}
        found = await self._store.aget(KEY)
        return found if isinstance(found, dict) else {}

    async def write(self, seen: dict[str, Any]) -> None:
        """Keep a note."""
        if self._store is not None and seen:
            await self._store.aset(KEY, seen)


def _of_asset(store: Any, name: str) -> Any:
    """Return the part of the store that belongs to an asset: several may share one trigger."""
    from airflow.sdk import Asset

    return store[Asset(name=name)]
