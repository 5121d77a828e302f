"""Export: drawers and receipt of a kit at the path of a KFP artifact, all of it or nothing."""

from __future__ import annotations

import filecmp
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import Cancelled, SourceError, TargetError, UsageError
from kitline.plugin import ExportResult, check_options, unpack_kit

from kitline_kfp.steps.receipt import receipt_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import ExportContext, Kit

RECEIPT = "modelkit-receipt.json"
"""Beside the drawers; its `digest` says which kit this is."""
_DRAWERS = ("model", "datasets", "code", "docs", "prompts", "mcpservers")


def export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    """Unpack a kit, verified, into the folder `to`, with the receipt beside the drawers.

    Raises:
        UsageError: if options are missing or unknown.
        SourceError: if the kit lacks a drawer, or holds a file where the receipt goes.
        TargetError: if other files are there; nothing was changed then.
        VerificationError: if content is not what its digest promises; nothing was changed then.
    """
    place, drawers = _read(target, options)
    parts = kit.kitfile.parts()
    missing = sorted(drawers - {each.drawer for each in parts})
    if missing:
        raise SourceError(f"{kit.reference} has no {', '.join(missing)}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kitline-", dir=place.parent) as staging:
        folder = Path(staging) / "kit"
        warnings = unpack_kit(
            kit,
            folder,
            select=lambda part: not drawers or part.drawer in drawers,
            durable=False,
            progress=context.progress,
        )
        if context.cancelled():
            raise Cancelled("the export was stopped; nothing was changed")
        folder.mkdir(exist_ok=True)
        if os.path.lexists(folder / RECEIPT):
            raise SourceError(
                f"{kit.reference} holds a {RECEIPT!r} of its own, in the place of the receipt;"
                " leave it away with -o drawers="
            )
        receipt = json.dumps(receipt_of(kit).to_json(), indent=2, ensure_ascii=False) + "\n"
        (folder / RECEIPT).write_text(receipt, encoding="utf-8")
        existed = _is_there(place, folder)
        if not existed:
            os.rename(folder, place)
    return ExportResult(target=str(place), existed=existed, warnings=warnings)


def _read(target: str, options: Mapping[str, str]) -> tuple[Path, frozenset[str]]:
    check_options(options, ("to", "drawers"), "the kfp exporter")
    to = options.get("to") or target.partition(":")[2]
    drawers = frozenset(each for each in options.get("drawers", "").split(",") if each)
    if not to:
        raise UsageError("say where to: -o to=PATH, such as the path of an output artifact")
    if "://" in to:
        raise UsageError(
            f"{to!r} is an address; give the path that KFP gave to the artifact. Never put a"
            " reference into its uri: to KFP, 'oci://' means an image that runs"
        )
    unknown = sorted(drawers - set(_DRAWERS))
    if unknown:
        raise UsageError(f"drawer {unknown[0]!r} is none of {', '.join(_DRAWERS)}")
    return Path(to), drawers


def _is_there(place: Path, folder: Path) -> bool:
    """Tell whether exactly this is there already; an empty folder is nothing.

    Raises:
        TargetError: if something else is there.
    """
    if not os.path.lexists(place):
        return False
    if place.is_dir() and not place.is_symlink():
        if not any(place.iterdir()):
            place.rmdir()
            return False
        if _same(place, folder):
            return True
    raise TargetError(f"cannot export to {str(place)!r}: other files are there; nothing changed")


def _same(one: Path, other: Path) -> bool:
    """Compare two folders, names and content."""
    names = {each.name for each in one.iterdir()}
    if names != {each.name for each in other.iterdir()}:
        return False
    for name in names:
        left, right = one / name, other / name
        if left.is_symlink() or left.is_dir() != right.is_dir():
            return False
        if left.is_dir():
            if not _same(left, right):
                return False
        elif not filecmp.cmp(left, right, shallow=False):
            return False
    return True
