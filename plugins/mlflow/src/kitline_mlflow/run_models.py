"""Which logged model a source means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_mlflow.redact import clean_address
from kitline_mlflow.source import LoggedModelSource, VersionSource, parse_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow.entities import LoggedModel, Run

    from kitline_mlflow.server import Server

_HOPS = 10
"""Versions may be copies of versions; more in a row than this is a circle."""
_SHOWN = 20


def find_run_model(server: Server, run: Run, chosen: str | None) -> LoggedModel | None:
    """Return the model of a run: the only one that is READY, or the one chosen by id or name.

    None if the run has never had a logged model and none was chosen.

    Raises:
        SourceError: if there are several, or none that is READY.
    """
    run_id = run.info.run_id
    models = run_models(server, run)
    if chosen is not None:
        wanted = [each for each in models if chosen in (each.model_id, each.name)]
        if not wanted:
            raise SourceError(f"run {run_id!r} has no logged model {chosen!r}; {_known(models)}")
        models = wanted
    elif not models:
        if outputs := _outputs(run):
            raise SourceError(f"the logged models of run {run_id!r} were deleted: {outputs}")
        return None
    ready = [each for each in models if str(each.status) == "READY"]
    if not ready:
        states = ", ".join(f"{each.model_id} is {each.status}" for each in models[:_SHOWN])
        raise SourceError(f"no logged model of run {run_id!r} is READY: {states}")
    if len(ready) > 1:
        raise SourceError(
            f"run {run_id!r} has {len(ready)} logged models{_called(chosen, ready)}:"
            f" {_listed(ready)}; choose one, such as '-o model={ready[0].model_id}'"
        )
    return ready[0]


def run_models(server: Server, run: Run) -> list[LoggedModel]:
    """Return the logged models of a run that still exist, in the order in which it logged them."""
    found = (server.find_model(model_id) for model_id in _outputs(run))
    return [model for model in found if model is not None]


def require_ready(model: LoggedModel) -> LoggedModel:
    """Return the model.

    Raises:
        SourceError: if its files are not complete.
    """
    if str(model.status) != "READY":
        why = f": {model.status_message}" if model.status_message else ""
        raise SourceError(f"logged model {model.model_id!r} is {model.status}, not READY{why}")
    return model


def find_version_model(server: Server, source: VersionSource) -> LoggedModel | str:
    """Return the logged model of a version, or the `modelkit://` address that is its source.

    Raises:
        SourceError: if it has neither.
    """
    for _ in range(_HOPS):
        version = server.get_version(source.name, source.version, source.alias)
        named = f"version {version.version} of model {version.name!r}"
        place = str(version.source or "")
        if place.lower().startswith("modelkit://"):
            return place
        if place.startswith("models:/"):
            target = parse_source(place)
            if isinstance(target, VersionSource):
                source = target
                continue
            if isinstance(target, LoggedModelSource):
                return server.get_model(target.model_id)
        if version.model_id:
            return server.get_model(version.model_id)
        if version.run_id and (run := server.find_run(version.run_id)):
            for model in run_models(server, run):
                if model.artifact_location.rstrip("/") == place.rstrip("/"):
                    return model
        raise SourceError(
            f"the source of {named} is {clean_address(place)!r}, which is no logged model;"
            " import its run"
        )
    raise SourceError(f"model {source.name!r} is a copy of a copy of itself")


def _outputs(run: Run) -> list[str]:
    outputs = run.outputs.model_outputs if run.outputs else []
    return list(dict.fromkeys(each.model_id for each in outputs))


def _called(chosen: str | None, ready: Sequence[LoggedModel]) -> str:
    return "" if chosen is None or chosen == ready[0].model_id else f" named {chosen!r}"


def _known(models: Sequence[LoggedModel]) -> str:
    return f"it has {_listed(models)}" if models else "it has none"


def _listed(models: Sequence[LoggedModel]) -> str:
    more = f" and {len(models) - _SHOWN} more" if len(models) > _SHOWN else ""
    return ", ".join(f"{each.model_id} ({each.name})" for each in models[:_SHOWN]) + more
