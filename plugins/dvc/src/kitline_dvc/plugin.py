"""The hooks of kitline that this plugin implements; nothing is imported before it is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.plugin import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import (
        Collected,
        ExportContext,
        ExportResult,
        ImportContext,
        Kit,
        PromotedEvent,
        WriteBack,
    )


@hookimpl
def kitline_importers() -> list[Importer]:
    """Offer the importer of paths that DVC tracks."""
    return [
        Importer(
            name="dvc",
            schemes=("dvc", "dvc+file", "dvc+https", "dvc+ssh", "dvc-artifact"),
            summary="what DVC tracks, at a git revision: dvc:PATH@REV, dvc:dvc.yaml:STAGE@REV",
            collect=_collect,
        )
    ]


@hookimpl
def kitline_exporters() -> list[Exporter]:
    """Offer the exporter into a DVC repository."""
    return [
        Exporter(
            name="dvc",
            summary="a path that DVC tracks, with the digest: -o path=PATH -o repo=FOLDER",
            export=_export,
        )
    ]


@hookimpl
def kitline_promoted(event: PromotedEvent) -> WriteBack | None:
    """Write a tag of GTO, if the environment names the git repository for them."""
    folder = os.environ.get("KITLINE_DVC_GTO")
    if not folder:
        return None
    from kitline_dvc.gto_tag import tag_promotion

    return tag_promotion(event, folder)


def _collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    from kitline_dvc.importer import collect

    return collect(source, options, context)


def _export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    from kitline_dvc.exporter import export

    return export(kit, target, options, context)
