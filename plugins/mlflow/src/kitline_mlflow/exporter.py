"""Exporter: a kit becomes a version, a pointer or a full copy at an MLflow server, once.

`as=source` and `as=pointer` copy no file; `as=copy` makes run and logged model anew. What the kit
already has at the server, found by its digest, is answered and not made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import Cancelled, UsageError
from kitline.plugin import ExportResult

from kitline_mlflow.copy_model import export_copy
from kitline_mlflow.export_model import model_parts
from kitline_mlflow.export_options import ExportOptions
from kitline_mlflow.export_prompts import export_prompts
from kitline_mlflow.export_register import export_pointer, export_source
from kitline_mlflow.export_server import TargetServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import ExportContext, Kit


def export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    """Export a kit to the MLflow server that the options or the environment name.

    Raises:
        UsageError: if the options do not fit together or the kit.
        SourceError: if the kit holds nothing that MLflow keeps.
        VerificationError: if content is not what its digest promises; nothing is left then.
        TargetError: if the server refuses.
    """
    if target:
        raise UsageError(
            f"the target is 'mlflow', not {'mlflow:' + target!r}; name the server with"
            " '-o tracking_uri=…' or MLFLOW_TRACKING_URI"
        )
    chosen = ExportOptions.parse(options)
    if context.cancelled():
        raise Cancelled(f"export of {str(kit.reference)!r} was cancelled")
    server = TargetServer(chosen.tracking_uri)
    results = []
    if model_parts(kit) or not (chosen.prompts and kit.kitfile.prompts):
        results.append(_export_model(kit, chosen, server, context))
    if chosen.prompts and kit.kitfile.prompts:
        results += export_prompts(kit, chosen, server)
    return ExportResult(
        target=", ".join(each.target for each in results),
        existed=all(each.existed for each in results),
        warnings=tuple(warning for each in results for warning in each.warnings),
    )


def _export_model(
    kit: Kit, options: ExportOptions, server: TargetServer, context: ExportContext
) -> ExportResult:
    if options.mode == "source":
        return export_source(kit, options, server)
    if options.mode == "pointer":
        return export_pointer(kit, options, server)
    return export_copy(kit, options, server, context)
