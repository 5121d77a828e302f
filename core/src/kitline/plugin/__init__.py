"""What a plugin sees: `from kitline.plugin import hookimpl, Importer`.

Names are loaded on first use, so that naming this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline.plugin.manager import Plugins
    from kitline.plugin.markers import hookimpl
    from kitline.plugin.receipt import Receipt, ReceiptLayer
    from kitline.plugin.records import (
        Collected,
        ExportContext,
        Exporter,
        ExportResult,
        ImportContext,
        Importer,
        Kit,
        Origin,
        Parent,
        PromotedEvent,
        PushedEvent,
        Statement,
        WriteBack,
    )
    from kitline.plugin.status import PluginStatus
    from kitline.plugin.tree import FileTree, bytes_entry

__all__ = [
    "Collected",
    "ExportContext",
    "ExportResult",
    "Exporter",
    "FileTree",
    "ImportContext",
    "Importer",
    "Kit",
    "Origin",
    "Parent",
    "PluginStatus",
    "Plugins",
    "PromotedEvent",
    "PushedEvent",
    "Receipt",
    "ReceiptLayer",
    "Statement",
    "WriteBack",
    "bytes_entry",
    "hookimpl",
]

_MODULES = {
    "FileTree": "tree",
    "PluginStatus": "status",
    "Plugins": "manager",
    "Receipt": "receipt",
    "ReceiptLayer": "receipt",
    "bytes_entry": "tree",
    "hookimpl": "markers",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'records')}"), name)
