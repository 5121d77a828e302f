"""The hooks of kitline that this plugin implements; nothing is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import (
        Collected,
        ExportContext,
        ExportResult,
        ImportContext,
        Kit,
        PromotedEvent,
        PushedEvent,
        WriteBack,
    )


@hookimpl
def kitline_importers() -> list[Importer]:
    """Offer the importer of MLflow's models, runs and prompts."""
    return [
        Importer(
            name="mlflow",
            schemes=("mlflow", "runs", "models", "prompts"),
            summary="MLflow's models, runs and prompts: mlflow://runs/ID, models:/NAME/3, …",
            collect=_collect,
            expand=_expand,
        )
    ]


@hookimpl
def kitline_exporters() -> list[Exporter]:
    """Offer the exporter to MLflow's registry."""
    return [
        Exporter(
            name="mlflow",
            summary="a version by digest, a pointer or a full copy at an MLflow server",
            export=_export,
        )
    ]


@hookimpl
def kitline_pushed(event: PushedEvent) -> WriteBack | None:
    """Tag run and logged model with the digest of their kit."""
    if event.origin is None or event.origin.importer != "mlflow":
        return None
    from kitline_mlflow.write_back import write_back

    return write_back(event, event.origin)


@hookimpl
def kitline_promoted(event: PromotedEvent) -> WriteBack | None:
    """Move the alias of the stage's name to the version that is the kit."""
    from kitline_mlflow.promoted import tell_promotion

    return tell_promotion(event)


# Every push asks for the offers; what they do is imported when one is taken.


def _collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    from kitline_mlflow.importer import collect

    return collect(source, options, context)


def _expand(source: str, options: Mapping[str, str], context: ImportContext) -> Iterable[str]:
    from kitline_mlflow.importer import expand

    return expand(source, options, context)


def _export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    from kitline_mlflow.exporter import export

    return export(kit, target, options, context)
