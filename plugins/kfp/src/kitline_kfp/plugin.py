"""The hooks of kitline that this plugin implements; nothing is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import Collected, ExportContext, ExportResult, ImportContext, Kit


@hookimpl
def kitline_importers() -> list[Importer]:
    """Offer the importer of finished runs."""
    return [
        Importer(
            name="kfp",
            schemes=("kfp",),
            summary="outputs of a finished run: kfp:RUN_FOLDER[#TASK], kfp://HOST/runs/ID[#TASK]",
            collect=_collect,
            expand=_expand,
        )
    ]


@hookimpl
def kitline_exporters() -> list[Exporter]:
    """Offer the exporter to the path of an artifact."""
    return [
        Exporter(
            name="kfp",
            summary="drawers and receipt at the path of a KFP artifact: -o to=PATH",
            export=_export,
        )
    ]


def _collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    from kitline_kfp.importer import collect

    return collect(source, options, context)


def _expand(source: str, options: Mapping[str, str], context: ImportContext) -> Iterable[str]:
    from kitline_kfp.importer import expand

    return expand(source, options, context)


def _export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    from kitline_kfp.exporter import export

    return export(kit, target, options, context)
