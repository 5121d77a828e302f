"""kitline: one digest from data to production.

The verbs of the command line as functions that take texts or values and return objects with
`.digest` and `.reference`. Names are loaded on first use, so that importing kitline costs nothing.

    import kitline

    kit = kitline.pack("model", "iris:v1")
    kitline.unpack(kit.reference, "copy")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.lazy import lazy_names

if TYPE_CHECKING:
    from kitline.errors import KitlineError
    from kitline.kit.kitfile import Kitfile
    from kitline.kit.tree import Entry, KitTree
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import ImageIndex, ImageManifest, Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference, Reference
    from kitline.operations.accounts import check_login, login, logout
    from kitline.operations.compare import compare
    from kitline.operations.diff import diff
    from kitline.operations.doctor import doctor
    from kitline.operations.export import export
    from kitline.operations.import_ import import_, pack_collected
    from kitline.operations.import_many import ImportOutcome, import_many, list_sources
    from kitline.operations.inspect import inspect
    from kitline.operations.lineage.find import find
    from kitline.operations.lineage.index import index_lineage
    from kitline.operations.lineage.trace import trace_lineage
    from kitline.operations.list_ import list_
    from kitline.operations.naming import remove, tag
    from kitline.operations.open_kit import open_kit
    from kitline.operations.pack import pack
    from kitline.operations.policy.gate import admit
    from kitline.operations.prune.prune import prune
    from kitline.operations.resolve import resolve
    from kitline.operations.sbom.sbom import sbom
    from kitline.operations.settings import Settings
    from kitline.operations.sign import attest_signed, attest_unsigned, sign
    from kitline.operations.stages.promote import promote
    from kitline.operations.stages.result import Promotion
    from kitline.operations.stages.rollback import rollback
    from kitline.operations.stages.state import StageState
    from kitline.operations.stages.table import stage_history, stages
    from kitline.operations.statements import AttachedStatement, attest, read_statements
    from kitline.operations.transfer import copy, pull, push
    from kitline.operations.unpack import unpack
    from kitline.operations.verify import list_attestations, verify
    from kitline.promotion.record import PromotionRecord
    from kitline.store.interface import Store

__all__ = [
    "AttachedStatement",
    "Descriptor",
    "Digest",
    "Entry",
    "ImageIndex",
    "ImageManifest",
    "ImportOutcome",
    "KitTree",
    "Kitfile",
    "KitlineError",
    "LayoutReference",
    "Manifest",
    "PinnedReference",
    "Promotion",
    "PromotionRecord",
    "Reference",
    "Settings",
    "StageState",
    "Store",
    "admit",
    "attest",
    "attest_signed",
    "attest_unsigned",
    "check_login",
    "compare",
    "copy",
    "diff",
    "doctor",
    "export",
    "find",
    "import_",
    "import_many",
    "index_lineage",
    "inspect",
    "list_",
    "list_attestations",
    "list_sources",
    "login",
    "logout",
    "open_kit",
    "pack",
    "pack_collected",
    "promote",
    "prune",
    "pull",
    "push",
    "read_statements",
    "remove",
    "resolve",
    "rollback",
    "sbom",
    "sign",
    "stage_history",
    "stages",
    "tag",
    "trace_lineage",
    "unpack",
    "verify",
]

_HOMES = {
    "AttachedStatement": ".operations.statements",
    "Descriptor": ".oci.descriptor",
    "Digest": ".oci.digest",
    "Entry": ".kit.tree",
    "ImageIndex": ".oci.manifest",
    "ImageManifest": ".oci.manifest",
    "ImportOutcome": ".operations.import_many",
    "KitTree": ".kit.tree",
    "Kitfile": ".kit.kitfile",
    "KitlineError": ".errors",
    "LayoutReference": ".oci.reference",
    "Manifest": ".oci.manifest",
    "PinnedReference": ".oci.reference",
    "Promotion": ".operations.stages.result",
    "PromotionRecord": ".promotion.record",
    "Reference": ".oci.reference",
    "Settings": ".operations.settings",
    "StageState": ".operations.stages.state",
    "Store": ".store.interface",
    "admit": ".operations.policy.gate",
    "attest": ".operations.statements",
    "attest_signed": ".operations.sign",
    "attest_unsigned": ".operations.sign",
    "check_login": ".operations.accounts",
    "compare": ".operations.compare",
    "copy": ".operations.transfer",
    "diff": ".operations.diff",
    "doctor": ".operations.doctor",
    "export": ".operations.export",
    "find": ".operations.lineage.find",
    "import_": ".operations.import_",
    "import_many": ".operations.import_many",
    "index_lineage": ".operations.lineage.index",
    "inspect": ".operations.inspect",
    "list_": ".operations.list_",
    "list_attestations": ".operations.verify",
    "list_sources": ".operations.import_many",
    "login": ".operations.accounts",
    "logout": ".operations.accounts",
    "open_kit": ".operations.open_kit",
    "pack": ".operations.pack",
    "pack_collected": ".operations.import_",
    "promote": ".operations.stages.promote",
    "prune": ".operations.prune.prune",
    "pull": ".operations.transfer",
    "push": ".operations.transfer",
    "read_statements": ".operations.statements",
    "remove": ".operations.naming",
    "resolve": ".operations.resolve",
    "rollback": ".operations.stages.rollback",
    "sbom": ".operations.sbom.sbom",
    "sign": ".operations.sign",
    "stage_history": ".operations.stages.table",
    "stages": ".operations.stages.table",
    "tag": ".operations.naming",
    "trace_lineage": ".operations.lineage.trace",
    "unpack": ".operations.unpack",
    "verify": ".operations.verify",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
