"""Facts of a kit: parameters and metrics, from its Kitfile and from what was said of it since.

What comes from statements is a claim; with an authority only what that one signed is read.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.operations.statements import find_statements
from kitline.trust.predicate_types import EVALUATION, MLFLOW_RUN
from kitline.trust.verify import examine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kitline.kit.kitfile import Kitfile
    from kitline.oci.digest import Digest
    from kitline.store.interface import Store
    from kitline.trust.authority import Authority

_DEPTH = 8


@dataclass(frozen=True, kw_only=True)
class Said:
    """One statement about a kit, signed or not."""

    digest: Digest
    predicate_type: str
    predicate: Mapping[str, Any] = field(hash=False)


def find_said(store: Store, kit: Digest, authority: Authority | None) -> list[Said]:
    """Return what is said of a kit; with an authority only what it signed."""
    evidence = examine(store, kit, authority).passed
    found = [
        Said(digest=each.digest, predicate_type=each.predicate_type, predicate=each.predicate)
        for each in evidence
    ]
    if authority is None:
        statements, _ = find_statements(store, kit)
        found += [
            Said(digest=each.digest, predicate_type=each.predicate_type, predicate=each.predicate)
            for each in statements
            if each.predicate is not None
        ]
    return found


def find_metrics(said: Iterable[Said]) -> dict[str, tuple[float, ...]]:
    """Return the values of each metric, each value once and in order.

    What evaluations say of a metric comes before what the run that made the kit had said of it.
    """
    evaluated = _collect(each for each in said if each.predicate_type == EVALUATION)
    trained = _collect(each for each in said if each.predicate_type == MLFLOW_RUN)
    found = {**trained, **evaluated}
    return {name: tuple(sorted(set(found[name]))) for name in sorted(found)}


def find_parameters(kitfile: Kitfile, said: Iterable[Said]) -> dict[str, Any]:
    """Return the parameters of a kit: those of its model, of its run, and of its data."""
    found: dict[str, Any] = {}
    for each in said:
        run = each.predicate.get("run") if each.predicate_type == MLFLOW_RUN else None
        params = run.get("params") if isinstance(run, dict) else None
        found |= params if isinstance(params, dict) else {}
    for dataset in kitfile.datasets:
        if dataset.parameters is not None:
            found |= flatten(dataset.parameters, f"data {dataset.name or dataset.path}")
    if kitfile.model is not None and kitfile.model.parameters is not None:
        found |= flatten(kitfile.model.parameters)
    return found


def flatten(value: object, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Return nested maps as dotted names; lists stay as they are."""
    if not isinstance(value, dict) or depth == _DEPTH:
        return {prefix: value} if prefix else {"value": value}
    return {
        name: leaf
        for key, item in value.items()
        for name, leaf in flatten(
            item, f"{prefix}.{key}" if prefix else str(key), depth + 1
        ).items()
    }


def _collect(said: Iterable[Said]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each in said:
        for name, value in _read(each):
            found.setdefault(name, []).append(value)
    return found


def _read(said: Said) -> Iterator[tuple[str, float]]:
    predicate = said.predicate
    if said.predicate_type == EVALUATION:
        metrics = predicate.get("metrics", predicate)
        yield from _from_map(metrics)
        yield from _from_list(metrics)
        return
    run, model = predicate.get("run"), predicate.get("model")
    in_model = dict(_from_list(model.get("metrics"))) if isinstance(model, dict) else {}
    yield from in_model.items()
    in_run = dict(_from_map(run.get("metrics"))) if isinstance(run, dict) else {}
    yield from ((name, value) for name, value in in_run.items() if name not in in_model)


def _from_map(found: object) -> Iterator[tuple[str, float]]:
    """Read `{"accuracy": 0.9}` and `{"accuracy": {"value": 0.9}}`."""
    for name, value in found.items() if isinstance(found, dict) else ():
        number = _number(value.get("value") if isinstance(value, dict) else value)
        if number is not None:
            yield str(name), number


def _from_list(found: object) -> Iterator[tuple[str, float]]:
    """Read `[{"key": "accuracy", "value": 0.9, "step": 3}]`; the last step counts."""
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    for each in sorted(rows, key=_moment):
        name, number = each.get("key", each.get("name")), _number(each.get("value"))
        if isinstance(name, str) and number is not None:
            yield name, number


def _moment(row: dict[str, Any]) -> tuple[float, float]:
    return _number(row.get("step")) or 0.0, _number(row.get("timestamp")) or 0.0


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
