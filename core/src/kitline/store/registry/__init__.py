"""A Store over the OCI distribution API, on the oras package: the only HTTP in the house."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kitline.store.registry.options import RegistryOptions, RetryPolicy
    from kitline.store.registry.probe import Probe
    from kitline.store.registry.sessions import Sessions
    from kitline.store.registry.store import RegistryStore, open_registry

__all__ = ["Probe", "RegistryOptions", "RegistryStore", "RetryPolicy", "Sessions", "open_registry"]

_HOMES = {
    "Probe": "probe",
    "RegistryOptions": "options",
    "RegistryStore": "store",
    "RetryPolicy": "options",
    "Sessions": "sessions",
    "open_registry": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
