"""Run facts: what MLflow knows of a run and may still learn, as a statement about a kit.

Metrics with their whole history, params, tags, dataset inputs, names, figures, and the metrics
that a model has on datasets. Tags of kitline itself and MLflow's notes about registrations stay
outside: they say where the kit went, not what the run did.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kitline.plugin import Statement

from kitline_mlflow.facts_history import NOTE, canonical, history_line, number
from kitline_mlflow.redact import Redactor
from kitline_mlflow.tags import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlflow.entities import DatasetInput, LoggedModel, Run

    from kitline_mlflow.server import Server

PREDICATE_TYPE = "https://kitline.io/mlflow-run/v1"
_VOLATILE_TAGS = frozenset({"mlflow.modelVersions"})
FIGURES = (".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp", ".html", ".pdf")
_LISTED = 10_000


def collect_facts(
    server: Server,
    run: Run | None,
    model: LoggedModel | None = None,
    *,
    redactor: Redactor | None = None,
    described: Mapping[str, Any] | None = None,
    known: Mapping[str, Any] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Statement:
    """Return the facts of a run and of one of its models, as they are now.

    Args:
        server: Where run and model are.
        run: The run; None for a model that was logged outside one.
        model: The model whose kit the facts are for.
        redactor: Replaces secrets; the built-in patterns and `KITLINE_MLFLOW_REDACT` by default.
        described: What the model's MLmodel says (signature, requirements), if it was read.
        known: What `run_facts` returned just now, if it was asked.
        check: Called between two requests; raises `Cancelled` to stop.

    Raises:
        SourceError: if the server does not answer.
    """
    redactor = Redactor.parse() if redactor is None else redactor
    predicate: dict[str, Any] = {}
    if run is not None:
        predicate["run"] = dict(known or run_facts(server, run, redactor, check))
    if model is not None:
        predicate["model"] = model_facts(model, redactor) | dict(described or {})
    if notes := _notes(predicate):
        predicate["notes"] = notes
    if redactor.found:
        predicate["redacted"] = sorted(redactor.found)
    return Statement(predicate_type=PREDICATE_TYPE, predicate=predicate)


def run_facts(
    server: Server, run: Run, redactor: Redactor, check: Callable[[], None]
) -> dict[str, Any]:
    """Return what is known of a run."""
    lines = []
    for key in sorted(run.data.metrics):
        check()
        lines.append(history_line(key, server.get_history(run.info.run_id, key)))
    files = server.list_run_files(run, _LISTED)
    found = {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "experiment": server.find_experiment_name(run.info.experiment_id),
        "status": run.info.status,
        "lifecycle": run.info.lifecycle_stage,
        "started": run.info.start_time,
        "ended": run.info.end_time,
        "user": run.info.user_id,
        "params": redactor.mapping(run.data.params, "param"),
        "tags": redactor.mapping(lasting_tags(run.data.tags), "tag"),
        "metrics": {key: number(run.data.metrics[key]) for key in sorted(run.data.metrics)},
        "history": "".join(lines),
        "datasets": [_dataset(each, redactor) for each in _inputs(run)],
        "models": _models(run),
        "parent": _parent(server, run),
        "children": server.find_children(run),
        "artifacts": [{"path": path, "size": size} for path, size in files],
        "figures": [path for path, _ in files if path.lower().endswith(FIGURES)],
    }
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def model_facts(model: LoggedModel, redactor: Redactor) -> dict[str, Any]:
    """Return what is known of a logged model besides its kit: name, tags, metrics on datasets."""
    found = {
        "id": model.model_id,
        "name": model.name,
        "type": model.model_type,
        "tags": redactor.mapping(lasting_tags(model.tags or {}), "tag"),
        "metrics": sorted(
            (
                {
                    "key": each.key,
                    "value": number(each.value),
                    "step": each.step,
                    "timestamp": each.timestamp,
                    "run": each.run_id,
                    "dataset": each.dataset_name,
                    "datasetDigest": each.dataset_digest,
                }
                for each in model.metrics or ()
            ),
            key=canonical,
        ),
    }
    return {key: value for key, value in found.items() if value}


def lasting_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags without kitline's own and MLflow's notes about registrations."""
    return {
        key: value
        for key, value in tags.items()
        if not key.startswith(PREFIX) and key not in _VOLATILE_TAGS
    }


def _inputs(run: Run) -> Iterable[DatasetInput]:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return sorted(inputs, key=lambda each: (each.dataset.name, each.dataset.digest))


def _dataset(given: DatasetInput, redactor: Redactor) -> dict[str, Any]:
    data = given.dataset
    found = {
        "name": data.name,
        "digest": data.digest,
        "sourceType": data.source_type,
        "source": _parsed(redactor.value("source", data.source, f"dataset {data.name!r}")),
        "schema": _parsed(data.schema),
        "profile": _parsed(data.profile),
        "tags": redactor.mapping({each.key: each.value for each in given.tags}, "dataset tag"),
    }
    return {key: value for key, value in found.items() if value not in (None, "", {})}


def _parsed(text: str | None) -> Any:
    """Return JSON in a text as what it is; profiles may hold NaN, which stays a text."""
    if not text:
        return None
    try:
        parsed = json.loads(text)
        canonical(parsed)
    except (ValueError, RecursionError):
        return text
    return parsed


def _models(run: Run) -> dict[str, Any]:
    outputs = run.outputs.model_outputs if run.outputs else []
    inputs = run.inputs.model_inputs if run.inputs else []
    found = {
        "inputs": sorted({each.model_id for each in inputs}),
        "outputs": [
            {"id": model_id, "step": step}
            for model_id, step in sorted({(each.model_id, each.step) for each in outputs})
        ],
    }
    return {key: value for key, value in found.items() if value}


def _parent(server: Server, run: Run) -> dict[str, str] | None:
    parent_id = run.data.tags.get("mlflow.parentRunId")
    if not parent_id:
        return None
    parent = server.find_run(parent_id)
    if parent is None:
        return {"id": parent_id, "lifecycle": "missing"}
    return {"id": parent_id, "lifecycle": parent.info.lifecycle_stage}


def _notes(predicate: Mapping[str, Any]) -> list[str]:
    run = predicate.get("run", {})
    notes = [NOTE] if 'Infinity"' in run.get("history", "") else []
    if len(run.get("artifacts", ())) >= _LISTED:
        notes.append(f"only the first {_LISTED} artifacts are listed")
    return notes
