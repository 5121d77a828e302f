"""Attesting: what a run has learnt since its model was packed, as a statement about the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError, UsageError

from kitline_mlflow import tags

if TYPE_CHECKING:
    from kitline.plugin import PinnedReference
    from mlflow.entities import LoggedModel, Run

    from kitline_mlflow.server import Server


def attest_run(
    run_id: str | None = None,
    *,
    model_id: str | None = None,
    reference: str | None = None,
    tracking_uri: str | None = None,
) -> PinnedReference:
    """Attach the facts of a run, as they are now, to the kit of its model.

    Without `run_id` and `model_id` the active run is meant, else the last one. The kit is the one
    that `log_model` or `kitline import` noted, unless `reference` names another. Saying the same
    twice writes nothing. Returns the pinned reference of the statement.

    Raises:
        UsageError: if no run is known, or it has several kits and no `model_id` was given.
        SourceError: if run or model is missing, or has no kit.
        NotFound: if the kit is gone.
    """
    import kitline

    from kitline_mlflow.facts import collect_facts
    from kitline_mlflow.server import Server

    server = Server(tracking_uri)
    model = _get_model(server, model_id) if model_id is not None else None
    if model is None and run_id is None:
        run_id = _ambient_run()
    if run_id is None and model is not None:
        run_id = model.source_run_id
    run = server.get_run(run_id) if run_id else None
    model = model or _only_model(server, run, reference)
    kit = reference or (model.tags.get(tags.REFERENCE) if model is not None else None)
    if kit is None:
        raise SourceError(
            f"run {run_id!r} has no kit yet; make one with 'kitline import runs:/{run_id} -t …'"
            " or name it with reference=…"
        )
    found = kitline.attest(kit, collect_facts(server, run, model))
    return found  # type: ignore[return-value] # a layout only if `reference` names one


def _ambient_run() -> str:
    import mlflow

    run = mlflow.active_run() or mlflow.last_active_run()
    if run is None:
        raise UsageError("no run is active; name one with run_id=…")
    return str(run.info.run_id)


def _get_model(server: Server, model_id: str) -> LoggedModel:
    found = server.find_model(model_id)
    if found is None:
        raise SourceError(f"logged model {model_id!r} is not at the MLflow server {server.name!r}")
    return found


def _only_model(server: Server, run: Run | None, reference: str | None) -> LoggedModel | None:
    """Return the one model of the run that has a kit, or has the kit that was named."""
    outputs = run.outputs.model_outputs if run is not None and run.outputs else []
    ids = dict.fromkeys(each.model_id for each in outputs)
    models = [model for each in ids if (model := server.find_model(each))]
    kits = [each for each in models if each.tags.get(tags.REFERENCE)]
    if reference is not None:
        import kitline

        digest = str(kitline.inspect(reference, referrers=False).digest)
        kits = [each for each in kits if each.tags.get(tags.DIGEST) == digest]
    if len(kits) > 1:
        listed = sorted((str(each.name), each.model_id) for each in kits)
        names = ", ".join(f"{model_id} ({name})" for name, model_id in listed)
        raise UsageError(f"the run has several models with a kit: {names}; name one by model_id=…")
    return kits[0] if kits else None
