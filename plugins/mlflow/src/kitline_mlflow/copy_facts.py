"""What a kit's statement tells of its run, checked: anybody who may write there can attach one.

A statement that is malformed, or about another run or model than the kit names, is left out with a
warning. Of several the one that saw the run's end, and the most of it, is taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kitline.errors import NotFound, RegistryUnreachable, SourceError

from kitline_mlflow.facts import PREDICATE_TYPE
from kitline_mlflow.facts_history import read_history
from kitline_mlflow.importer import MODEL_ID, RUN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import ExportContext, Kit


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value of a metric; time in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int
    dataset: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Input:
    """A dataset that the run was given; source, schema and profile as MLflow's texts."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    tags: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """The run that made the model."""

    id: str
    name: str | None
    status: str
    started: int | None
    ended: int | None
    params: Mapping[str, str] = field(hash=False)
    tags: Mapping[str, str] = field(hash=False)
    history: tuple[Point, ...] = ()
    inputs: tuple[Input, ...] = ()
    step: int = 0
    """The step at which the model was logged."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known besides the files; `run` is None if no statement tells of it."""

    run: RunFacts | None = None
    experiment: str | None = None
    model_name: str | None = None
    model_type: str | None = None
    model_tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    model_metrics: tuple[Point, ...] = ()
    warnings: tuple[str, ...] = ()


def read_facts(kit: Kit, context: ExportContext) -> Facts:
    """Return what the statements about a kit tell of its run and its model.

    They are looked for where the kit's name leads, since more may have been said since it was
    pulled; without an answer there, those beside the kit are read.
    """
    import kitline

    try:
        store = context.open_store(str(kit.reference)) if context.open_store else kit.store
        statements = kitline.read_statements(kit.reference, PREDICATE_TYPE, store=store)
    except (NotFound, RegistryUnreachable):
        statements = kitline.read_statements(kit.reference, PREDICATE_TYPE, store=kit.store)
    found, warnings = [], []
    for each in statements:
        try:
            found.append(parse_facts(each.predicate or {}, kit.manifest.annotations))
        except (ValueError, TypeError, KeyError, AttributeError, SourceError) as cause:
            warnings.append(f"the statement {each.digest} was left out: {cause}")
    if not found:
        missing = "no statement of the kit tells of its run, so the model was copied without it"
        return Facts(warnings=(*warnings, missing))
    best = max(found, key=_weight)
    return Facts(**{**vars(best), "warnings": tuple(warnings)})


def parse_facts(predicate: Mapping[str, Any], annotations: Mapping[str, str]) -> Facts:
    """Read a predicate; `annotations` are the kit's, which say what it has to be about.

    Raises:
        SourceError: if it is about something else.
        ValueError, TypeError, KeyError: if it is malformed.
    """
    run, model = _mapping(predicate.get("run")), _mapping(predicate.get("model"))
    _check_about(run, annotations.get(RUN_ID), "run")
    _check_about(model, annotations.get(MODEL_ID), "logged model")
    return Facts(
        run=_run(run, annotations.get(MODEL_ID)) if run else None,
        experiment=_text(run, "experiment"),
        model_name=_text(model, "name"),
        model_type=_text(model, "type"),
        model_tags=_texts(model.get("tags")),
        model_metrics=tuple(
            _model_point(_mapping(each))
            for each in _list(model.get("metrics"))
            if _mapping(each).get("run") in (None, run.get("id"))
        ),
    )


def _weight(facts: Facts) -> tuple[bool, int, int, str]:
    run = facts.run
    if run is None:
        return (False, 0, len(facts.model_metrics), "")
    return (run.ended is not None, run.ended or 0, len(run.history), run.name or "")


def _check_about(found: Mapping[str, Any], expected: str | None, what: str) -> None:
    if expected is not None and found and found.get("id") != expected:
        raise SourceError(f"it is about the {what} {found.get('id')!r}, the kit is of {expected!r}")


def _run(run: Mapping[str, Any], model_id: str | None) -> RunFacts:
    models = _list(_mapping(run.get("models")).get("outputs"))
    steps = [int(each["step"]) for each in models if _mapping(each).get("id") == model_id]
    return RunFacts(
        id=str(run["id"]),
        name=_text(run, "name"),
        status=_text(run, "status") or "FINISHED",
        started=_time(run, "started"),
        ended=_time(run, "ended"),
        params=_texts(run.get("params")),
        tags=_texts(run.get("tags")),
        history=tuple(
            Point(key=key, value=value, timestamp=timestamp, step=step)
            for key, points in read_history(_text(run, "history") or "").items()
            for timestamp, step, value in points
        ),
        inputs=tuple(_input(_mapping(each)) for each in _list(run.get("datasets"))),
        step=steps[0] if steps else 0,
    )


def _model_point(fields: Mapping[str, Any]) -> Point:
    return Point(
        key=str(fields["key"]),
        value=float(fields["value"]),
        timestamp=int(fields["timestamp"]),
        step=int(fields["step"]),
        dataset=_text(fields, "dataset"),
        dataset_digest=_text(fields, "datasetDigest"),
    )


def _input(fields: Mapping[str, Any]) -> Input:
    return Input(
        name=str(fields["name"]),
        digest=str(fields["digest"]),
        source_type=_text(fields, "sourceType") or "",
        source=_json_text(fields.get("source")) or "",
        schema=_json_text(fields.get("schema")),
        profile=_json_text(fields.get("profile")),
        tags=_texts(fields.get("tags")),
    )


def _json_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _mapping(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:80]!r} is not an object")
    return value


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:80]!r} is not a list")
    return value


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(each) for key, each in _mapping(value).items()}


def _text(fields: Mapping[str, Any], key: str) -> str | None:
    found = fields.get(key)
    if found is not None and not isinstance(found, str):
        raise TypeError(f"{key} is not a text")
    return found


def _time(fields: Mapping[str, Any], key: str) -> int | None:
    found = fields.get(key)
    return None if found is None else int(found)
