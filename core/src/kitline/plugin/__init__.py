"""What a plugin sees: `from kitline.plugin import hookimpl, Importer`.

Everything that a plugin needs of core but its errors. Names are loaded on first use, so that naming
this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.lazy import lazy_names

if TYPE_CHECKING:
    from kitline.kit.folder import FolderTree
    from kitline.kit.kitfile import (
        Code,
        Dataset,
        Docs,
        Kitfile,
        KitPart,
        McpServer,
        Model,
        Package,
        Part,
        Prompt,
    )
    from kitline.kit.tar_reader import TarSink
    from kitline.kit.tree import Entry, Fingerprint, KitTree, PartitionedTree
    from kitline.oci.digest import Digest
    from kitline.oci.reference import PinnedReference, Reference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.kit_content import kit_layers, read_kit, unpack_kit
    from kitline.plugin.manager import Plugins
    from kitline.plugin.markers import hookimpl
    from kitline.plugin.options import check_options
    from kitline.plugin.parent import Parent
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
        PromotedEvent,
        PushedEvent,
        Statement,
        WriteBack,
    )
    from kitline.plugin.redact import without_passwords
    from kitline.plugin.slsa import provenance
    from kitline.plugin.status import PluginStatus
    from kitline.plugin.tree import FileTree, bytes_entry
    from kitline.store.closing import Closing
    from kitline.store.interface import ByteStream, Store
    from kitline.store.locked_folder import LockedFolder
    from kitline.store.progress import Progress
    from kitline.store.registry.identity import cloud_of
    from kitline.store.registry.sessions import Sessions

__all__ = [
    "ByteStream",
    "Closing",
    "Code",
    "Collected",
    "Dataset",
    "Digest",
    "Docs",
    "Entry",
    "ExportContext",
    "ExportResult",
    "Exporter",
    "FileTree",
    "Fingerprint",
    "FolderTree",
    "ImportContext",
    "Importer",
    "Invocation",
    "Kit",
    "KitPart",
    "KitTree",
    "Kitfile",
    "LockedFolder",
    "McpServer",
    "Model",
    "Origin",
    "Package",
    "Parent",
    "Part",
    "PartitionedTree",
    "PinnedReference",
    "PluginStatus",
    "Plugins",
    "Progress",
    "PromotedEvent",
    "Prompt",
    "PushedEvent",
    "Receipt",
    "ReceiptLayer",
    "Reference",
    "Sessions",
    "Statement",
    "Store",
    "TarSink",
    "WriteBack",
    "bytes_entry",
    "check_options",
    "cloud_of",
    "hookimpl",
    "kit_layers",
    "lazy_names",
    "provenance",
    "read_kit",
    "unpack_kit",
    "without_passwords",
]

_HOMES = {
    "ByteStream": "kitline.store.interface",
    "Closing": "kitline.store.closing",
    "Code": "kitline.kit.kitfile",
    "Collected": "kitline.plugin.records",
    "Dataset": "kitline.kit.kitfile",
    "Digest": "kitline.oci.digest",
    "Docs": "kitline.kit.kitfile",
    "Entry": "kitline.kit.tree",
    "ExportContext": "kitline.plugin.records",
    "ExportResult": "kitline.plugin.records",
    "Exporter": "kitline.plugin.records",
    "FileTree": "kitline.plugin.tree",
    "Fingerprint": "kitline.kit.tree",
    "FolderTree": "kitline.kit.folder",
    "ImportContext": "kitline.plugin.records",
    "Importer": "kitline.plugin.records",
    "Invocation": "kitline.plugin.invocation",
    "Kit": "kitline.plugin.records",
    "KitPart": "kitline.kit.kitfile",
    "KitTree": "kitline.kit.tree",
    "Kitfile": "kitline.kit.kitfile",
    "LockedFolder": "kitline.store.locked_folder",
    "McpServer": "kitline.kit.kitfile",
    "Model": "kitline.kit.kitfile",
    "Origin": "kitline.plugin.records",
    "Package": "kitline.kit.kitfile",
    "Parent": "kitline.plugin.parent",
    "Part": "kitline.kit.kitfile",
    "PartitionedTree": "kitline.kit.tree",
    "PinnedReference": "kitline.oci.reference",
    "PluginStatus": "kitline.plugin.status",
    "Plugins": "kitline.plugin.manager",
    "Progress": "kitline.store.progress",
    "PromotedEvent": "kitline.plugin.records",
    "Prompt": "kitline.kit.kitfile",
    "PushedEvent": "kitline.plugin.records",
    "Receipt": "kitline.plugin.receipt",
    "ReceiptLayer": "kitline.plugin.receipt",
    "Reference": "kitline.oci.reference",
    "Sessions": "kitline.store.registry.sessions",
    "Statement": "kitline.plugin.records",
    "Store": "kitline.store.interface",
    "TarSink": "kitline.kit.tar_reader",
    "WriteBack": "kitline.plugin.records",
    "bytes_entry": "kitline.plugin.tree",
    "check_options": "kitline.plugin.options",
    "cloud_of": "kitline.store.registry.identity",
    "hookimpl": "kitline.plugin.markers",
    "kit_layers": "kitline.plugin.kit_content",
    "provenance": "kitline.plugin.slsa",
    "read_kit": "kitline.plugin.kit_content",
    "unpack_kit": "kitline.plugin.kit_content",
    "without_passwords": "kitline.plugin.redact",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
