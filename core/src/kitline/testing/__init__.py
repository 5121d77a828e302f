"""For those who write plugins or stores: contracts, a registry with faults, sample trees.

Needs pytest only where it says so (the contracts and `fixtures`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.lazy import lazy_names

if TYPE_CHECKING:
    from kitline.testing.authorization import BasicAuth, BearerAuth
    from kitline.testing.faults import Fault
    from kitline.testing.http_server import Request
    from kitline.testing.plugin_contracts import ExporterContract, ImporterContract
    from kitline.testing.registry import LocalRegistry
    from kitline.testing.rules import Rules
    from kitline.testing.store_contract import StoreContract

_HOMES = {
    "BasicAuth": ".authorization",
    "BearerAuth": ".authorization",
    "ExporterContract": ".plugin_contracts",
    "Fault": ".faults",
    "ImporterContract": ".plugin_contracts",
    "LocalRegistry": ".registry",
    "Request": ".http_server",
    "Rules": ".rules",
    "StoreContract": ".store_contract",
}

__all__ = [
    "BasicAuth",
    "BearerAuth",
    "ExporterContract",
    "Fault",
    "ImporterContract",
    "LocalRegistry",
    "Request",
    "Rules",
    "StoreContract",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
