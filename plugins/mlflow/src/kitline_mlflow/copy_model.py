"""Copy: run and logged model are made anew at another server, with that server's ids.

Steps: 1 look for the kit by its digest, 2 unpack the part that holds MLmodel, 3 make run and logged
model, 4 upload part after part, so that no more than one part lies on this disk, 5 finalize. What
was made is deleted again if a step fails; what a killed process made, by the next export.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kitline.errors import Cancelled
from kitline.plugin import ExportResult, LockedFolder, unpack_kit

from kitline_mlflow.copy_facts import read_facts
from kitline_mlflow.copy_files import check_names, rewrite_model_file, sizes_below
from kitline_mlflow.copy_marker import MARK, delete_model, marked, remove_leftovers, unmark
from kitline_mlflow.copy_run import finish_run, names_of, start_run
from kitline_mlflow.export_model import MLMODEL, find_inner_model, parts_below
from kitline_mlflow.export_register import DEFAULT_EXPERIMENT, pinned_for_mlflow, set_aliases
from kitline_mlflow.export_server import EXPORTED
from kitline_mlflow.register import register_version

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.plugin import ExportContext, Kit, KitPart
    from mlflow.entities import LoggedModel

    from kitline_mlflow.copy_facts import Facts
    from kitline_mlflow.export_model import InnerModel
    from kitline_mlflow.export_options import ExportOptions
    from kitline_mlflow.export_server import TargetServer

_NAME_FALLBACK = "model"


def export_copy(
    kit: Kit, options: ExportOptions, server: TargetServer, context: ExportContext
) -> ExportResult:
    """Copy a kit's model, and the run that its statement tells of, to a server.

    Raises:
        SourceError: if the kit holds no MLflow model.
        TargetError: if the server refuses or loses files.
        VerificationError: if content is not what its digest promises.
    """
    if options.register is not None:
        pinned_for_mlflow(kit)  # refuse before anything is copied
    facts = read_facts(kit, context)
    experiment = options.experiment or facts.experiment or DEFAULT_EXPERIMENT
    found = server.find_logged_model(experiment, kit, "copy")
    if found is not None:
        return _registered(kit, options, server, found, existed=True)
    inner = find_inner_model(kit)
    with marked() as mark, server.explained(f"copy {str(kit.reference)!r}"):
        experiment_id = server.experiment_id(experiment)
        remove_leftovers(server, experiment_id, kit)
        copier = _Copier(kit, inner, facts, server, context, mark)
        model = copier.copy(experiment_id)
    result = _registered(kit, options, server, model, existed=False)
    return ExportResult(
        target=result.target, warnings=(*result.warnings, *facts.warnings, *copier.warnings)
    )


class _Copier:
    """One copy that is being made; whatever it made is deleted if it fails."""

    def __init__(
        self,
        kit: Kit,
        inner: InnerModel,
        facts: Facts,
        server: TargetServer,
        context: ExportContext,
        mark: str,
    ) -> None:
        self.warnings: list[str] = []
        self._kit = kit
        self._inner = inner
        self._facts = facts
        self._server = server
        self._context = context
        self._mark = {MARK: mark}

    def copy(self, experiment_id: str) -> LoggedModel:
        """Make run and model; return the model, READY."""
        client, run, model = self._server.client, None, None
        try:
            run = start_run(self._server, experiment_id, self._facts, self._kit, tags=self._mark)
            model = self._make_model(experiment_id, run)
            self._upload(model, run)
            if run is not None:
                self.warnings += finish_run(self._server, run, model.model_id, self._facts)
            client.finalize_logged_model(model.model_id, "READY")
        except BaseException:
            self._remove(run, model)
            raise
        unmark(self._server, run, model.model_id)
        return client.get_logged_model(model.model_id)

    def _make_model(self, experiment_id: str, run_id: str | None) -> LoggedModel:
        kit, facts = self._kit, self._facts
        parameters = kit.kitfile.model.parameters if kit.kitfile.model else None
        params = parameters if isinstance(parameters, dict) else {}
        return self._server.client.create_logged_model(
            experiment_id,
            name=facts.model_name or _NAME_FALLBACK,
            source_run_id=run_id,
            tags={**facts.model_tags, **names_of(kit), EXPORTED: "copy", **self._mark},
            params={str(key): str(value) for key, value in params.items()},
            model_type=facts.model_type,
        )

    def _upload(self, model: LoggedModel, run_id: str | None) -> None:
        sent: dict[str, int] = {}
        for part in parts_below(self._kit, self._inner.folder):
            if self._context.cancelled():
                raise Cancelled(f"export of {str(self._kit.reference)!r} was cancelled")
            with LockedFolder("kitline-mlflow-export-") as folder:
                root = self._unpack(part, folder.path)
                if root is None:
                    continue
                described = root / MLMODEL
                if described.is_file():
                    rewrite_model_file(described, model, run_id)
                sent |= sizes_below(root)
                self._server.client.log_model_artifacts(model.model_id, str(root))
        check_names(self._server, model, sent)

    def _unpack(self, part: KitPart, folder: Path) -> Path | None:
        """Unpack one part; return the model's own folder in it."""
        self.warnings += unpack_kit(
            self._kit,
            folder / "kit",
            select=lambda each: each.field == part.field,
            durable=False,
            progress=self._context.progress,
        )
        root = folder / "kit" / self._inner.folder
        return root if root.is_dir() else None

    def _remove(self, run_id: str | None, model: LoggedModel | None) -> None:
        """Delete what was made; what cannot be deleted stays without digest, so nobody finds it."""
        with contextlib.suppress(Exception):
            if model is not None:
                delete_model(self._server, model.model_id)
        with contextlib.suppress(Exception):
            if run_id is not None:
                self._server.client.delete_run(run_id)


def _registered(
    kit: Kit, options: ExportOptions, server: TargetServer, model: LoggedModel, *, existed: bool
) -> ExportResult:
    """Register the copy if a name is given; its source is MLflow's own, as for any model."""
    if options.register is None:
        return ExportResult(target=f"models:/{model.model_id}", existed=existed)
    with server.explained(f"register 'models:/{model.model_id}' as {options.register!r}"):
        version = register_version(
            server.client,
            options.register,
            pinned_for_mlflow(kit),
            model_id=model.model_id,
            run_id=model.source_run_id,
            register_as="model",
        )
        moved = set_aliases(server, options, version)
    return ExportResult(
        target=version.uri,
        existed=existed and version.existed and not moved,
        warnings=version.warnings,
    )
