"""Importer: the logged model of a finished run becomes a kit.

The unit of identity is MLflow's LoggedModel at READY: its files, its params, run and model id, the
time it was made and the digests of what it was made from. What may still change (metrics, tags,
names, aliases, end time) and where the server is stay outside, so that importing again gives the
same digest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitline.errors import Cancelled, SourceError
from kitline.plugin import Collected, FileTree, Kitfile, Model, Origin

from kitline_mlflow.files import FOLDER, fetch_files, find_files
from kitline_mlflow.model_file import read_model_file
from kitline_mlflow.options import Options
from kitline_mlflow.parents import find_parents
from kitline_mlflow.server import Server, list_files
from kitline_mlflow.source import RunSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Entry, ImportContext
    from mlflow.entities import LoggedModel, Run

    from kitline_mlflow.model_file import ModelFile

RECIPE = "mlflow/1"
RUN_ID = "io.kitline.mlflow.run-id"
MODEL_ID = "io.kitline.mlflow.model-id"
VERSION = "io.kitline.mlflow.version"


def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    """Collect the logged model of a run; its files are opened only when they are packed.

    Raises:
        UsageError: if source or options cannot be understood.
        SourceError: if the run is missing or unfinished, or has not one model that is READY.
    """
    wanted, chosen = RunSource.parse(source), Options.parse(options)
    server = Server(chosen.tracking_uri or wanted.tracking_uri)
    run = server.get_run(wanted.run_id)
    _check_run(run, wanted, allow_unfinished=chosen.allow_unfinished)
    model = _choose_model(server, run, chosen.model)
    if context.cancelled():
        raise Cancelled(f"import of {source!r} was cancelled")
    origin = Origin(importer="mlflow", source=wanted.canonical, server=server.name)
    return describe(run, model, _files(server, model), origin)


def describe(run: Run, model: LoggedModel, files: tuple[Entry, ...], origin: Origin) -> Collected:
    """Say what the kit of a model is: a function of what cannot change after READY."""
    described = read_model_file(files, FOLDER, f"logged model {model.model_id!r}")
    parents, warnings = find_parents(run)
    return Collected(
        tree=FileTree(kitfile=_kitfile(model, described), files=files),
        recipe=RECIPE,
        annotations=_annotations(run, model, described),
        parents=parents,
        created=datetime.fromtimestamp(model.creation_timestamp // 1000, UTC),
        origin=origin,
        warnings=warnings,
    )


def _check_run(run: Run, wanted: RunSource, *, allow_unfinished: bool) -> None:
    if wanted.experiment not in (None, run.info.experiment_id):
        raise SourceError(
            f"run {wanted.run_id!r} belongs to experiment {run.info.experiment_id!r},"
            f" not to {wanted.experiment!r}"
        )
    if run.info.status != "FINISHED" and not allow_unfinished:
        raise SourceError(
            f"run {wanted.run_id!r} is {run.info.status}, not FINISHED; wait for its end,"
            " or take its model as it is with '-o allow-unfinished=true'"
        )


def _choose_model(server: Server, run: Run, chosen: str | None) -> LoggedModel:
    run_id = run.info.run_id
    logged = run.outputs.model_outputs if run.outputs else []
    model_ids = list(dict.fromkeys(each.model_id for each in logged))
    if chosen is not None and chosen not in model_ids:
        raise SourceError(f"run {run_id!r} has no logged model {chosen!r}; {_known(model_ids)}")
    wanted = [chosen] if chosen is not None else model_ids
    models = [model for each in wanted if (model := server.find_model(each))]
    ready = [each for each in models if str(each.status) == "READY"]
    if not models:
        raise SourceError(f"run {run_id!r} has no logged model; log one with 'log_model(name=…)'")
    if not ready:
        states = ", ".join(f"{each.model_id} is {each.status}" for each in models)
        raise SourceError(f"no logged model of run {run_id!r} is READY: {states}")
    if len(ready) > 1:
        names = ", ".join(f"{each.model_id} ({each.name})" for each in ready)
        raise SourceError(
            f"run {run_id!r} has {len(ready)} logged models: {names};"
            f" choose one, such as '-o model={ready[0].model_id}'"
        )
    return ready[0]


def _known(model_ids: list[str]) -> str:
    return f"it has {', '.join(model_ids)}" if model_ids else "it has none"


def _files(server: Server, model: LoggedModel) -> tuple[Entry, ...]:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    artifacts = server.open_artifacts(model.artifact_location)
    if isinstance(artifacts, LocalArtifactRepository):
        from pathlib import Path

        return find_files(Path(artifacts.artifact_dir))
    return fetch_files(artifacts, list_files(artifacts))


def _kitfile(model: LoggedModel, described: ModelFile) -> Kitfile:
    return Kitfile(
        model=Model(
            path=FOLDER,
            framework=described.framework,
            format=described.format,
            parameters={key: model.params[key] for key in sorted(model.params or {})} or None,
        )
    )


def _annotations(run: Run, model: LoggedModel, described: ModelFile) -> dict[str, str]:
    found = {RUN_ID: run.info.run_id, MODEL_ID: model.model_id}
    return found | ({VERSION: described.mlflow_version} if described.mlflow_version else {})
