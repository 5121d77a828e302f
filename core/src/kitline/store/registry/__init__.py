"""A Store over the OCI distribution API, on the oras package: the only HTTP in the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.lazy import lazy_names

if TYPE_CHECKING:
    from kitline.store.registry.options import RegistryOptions, RetryPolicy
    from kitline.store.registry.probe import Probe
    from kitline.store.registry.sessions import Sessions
    from kitline.store.registry.store import RegistryStore, open_registry

__all__ = ["Probe", "RegistryOptions", "RegistryStore", "RetryPolicy", "Sessions", "open_registry"]

_HOMES = {
    "Probe": ".probe",
    "RegistryOptions": ".options",
    "RegistryStore": ".store",
    "RetryPolicy": ".options",
    "Sessions": ".sessions",
    "open_registry": ".store",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
