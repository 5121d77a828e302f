"""Attesting: what a run has learnt since its model was packed, as a statement about the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError, UsageError

from kitline_mlflow import tags

if TYPE_CHECKING:
    from kitline.plugin import PinnedReference, Statement
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
    twice writes nothing. With the setting `sign_key` it is signed. Returns the pinned reference of
    the statement.

    Raises:
        UsageError: if no run is known, or it has several kits and no `model_id` was given.
        SourceError: if run or model is missing, or has no kit.
        NotFound: if the kit is gone.
    """
    from kitline_mlflow.facts import collect_facts
    from kitline_mlflow.server import Server

    server = Server(tracking_uri)
    model = get_model(server, model_id) if model_id is not None else None
    if run_id is None and model is not None:
        run = server.get_run(model.source_run_id) if model.source_run_id else None
    else:
        run = find_run(server, run_id)
    model = model or _only_model(server, run, reference)
    kit = reference or _kit_of(model, run)
    return attach(kit, collect_facts(server, run, model))


def attach(kit: str, statement: Statement, key: str | None = None) -> PinnedReference:
    """Attach a statement, signed with the key, or that of the setting `sign_key`, if there is one.

    Raises:
        UnusableKey: if the key cannot be read.
        NotFound: if there is no such kit.
    """
    import kitline

    settings = kitline.Settings.load()
    key = key or settings.sign_key
    if key is None:
        return kitline.attest(kit, statement, settings=settings)  # type: ignore[return-value] # no layout
    kind, predicate = statement.predicate_type, statement.predicate
    signed = kitline.attest_signed(kit, kind, predicate, key=key, settings=settings)
    return signed.reference.pin(signed.signature)  # type: ignore[return-value] # as above


def find_run(server: Server, run_id: str | None, *, is_needed: bool = True) -> Run | None:
    """Return a run; without id the active one, and if one is needed the last one of this process.

    Raises:
        UsageError: if there is none and one is needed.
        SourceError: if the server does not have it.
    """
    import mlflow

    if run_id is None:
        ambient = mlflow.active_run() or (mlflow.last_active_run() if is_needed else None)
        if ambient is None and is_needed:
            raise UsageError("no run is active; name one with run_id=…")
        run_id = str(ambient.info.run_id) if ambient is not None else None
    return server.get_run(run_id) if run_id is not None else None


def find_kit(server: Server, run: Run | None, *, model_id: str | None = None) -> str:
    """Return the kit of a model, or of the only model of a run that has one.

    Raises:
        UsageError: if the run has several.
        SourceError: if there is none.
    """
    model = get_model(server, model_id) if model_id is not None else _only_model(server, run, None)
    return _kit_of(model, run)


def _kit_of(model: LoggedModel | None, run: Run | None) -> str:
    kit = model.tags.get(tags.REFERENCE) if model is not None else None
    if kit is not None:
        return str(kit)
    run_id = run.info.run_id if run is not None else None
    what = f"run {run_id!r}" if model is None else f"logged model {model.model_id!r}"
    source = f"runs:/{run_id}" if model is None else f"models:/{model.model_id}"
    raise SourceError(
        f"{what} has no kit yet; make one with 'kitline import {source} -t …'"
        " or name it with reference=…"
    )


def get_model(server: Server, model_id: str) -> LoggedModel:
    """Return a logged model.

    Raises:
        SourceError: if it was deleted, or never was.
    """
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
