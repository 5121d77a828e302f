"""Evaluations: how well a kit's model did, as a statement that stages and policies can ask for."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin import Statement

from kitline_mlflow.attest import attach, find_kit, find_run
from kitline_mlflow.tags import DIGEST

if TYPE_CHECKING:
    from kitline.plugin import PinnedReference
    from mlflow.entities import Run

EVALUATION = "https://kitline.io/evaluation/v1"


def attest_evaluation(
    metrics: Mapping[str, Any] | Any = None,
    *,
    reference: str | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    key: str | None = None,
    tracking_uri: str | None = None,
) -> PinnedReference:
    """Attach the metrics of an evaluation to a kit; the kit stays what it is.

    `kitline promote … --require attestation:evaluation,metric:accuracy:ge:0.9` asks for them.

    Args:
        metrics: Numbers by name, or what `mlflow.models.evaluate` returns. Default: the last
            metrics of the run. What is no finite number is left out, with a warning.
        reference: The kit; by default the one of the model or of the run.
        run_id: The run that evaluated; by default the active one. Its dataset inputs are told with
            the metrics.
        model_id: The logged model whose kit is meant.
        key: Private key that signs; by default the setting `sign_key`. Unsigned statements satisfy
            no policy.
        tracking_uri: The server; by default MLflow's own.

    Returns the pinned reference of the statement; saying the same twice writes nothing.

    Raises:
        UsageError: if there is no metric, or no run and no kit is named.
        SourceError: if run or model is missing, or has no kit.
        NotFound: if the kit is gone.
    """
    from kitline_mlflow.server import Server

    server = Server(tracking_uri)
    needs_run = metrics is None or (reference is None and model_id is None)
    run = find_run(server, run_id, is_needed=needs_run)
    kit = reference or find_kit(server, run, model_id=model_id)
    predicate = {"metrics": _numbers(_given(metrics, run))} | _about(run)
    return attach(kit, Statement(predicate_type=EVALUATION, predicate=predicate), key)


def _given(metrics: Mapping[str, Any] | Any, run: Run | None) -> Mapping[str, Any]:
    if metrics is None:
        assert run is not None  # asked for above
        return dict(run.data.metrics)
    found = metrics if isinstance(metrics, Mapping) else getattr(metrics, "metrics", None)
    if not isinstance(found, Mapping):
        raise UsageError(
            f"metrics is a {type(metrics).__name__}; give numbers by name, or what"
            " mlflow.models.evaluate returns"
        )
    return found


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    left_out = []
    for name, value in sorted(metrics.items()):
        number = _number(value)
        if number is None:
            left_out.append(str(name))
        else:
            found[str(name)] = number
    if left_out:
        warnings.warn(f"no finite number, so not attested: {', '.join(left_out)}", stacklevel=3)
    if not found:
        raise UsageError("there is nothing to attest: no metric is a finite number")
    return found


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool | str | None):
        return None
    try:
        number = float(value)  # numpy's as well
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _about(run: Run | None) -> dict[str, Any]:
    """Tell the run that evaluated, and on which data."""
    if run is None:
        return {}
    told: dict[str, Any] = {"run": {"system": "mlflow", "id": run.info.run_id}}
    data = []
    for each in run.inputs.dataset_inputs if run.inputs else ():
        kits = {tag.value for tag in each.tags if tag.key == DIGEST}
        row = {"name": each.dataset.name, "digest": each.dataset.digest}
        data.append(row | ({"kit": kits.pop()} if len(kits) == 1 else {}))
    if data:
        told["datasets"] = sorted(data, key=lambda row: (row["name"], row["digest"]))
    return told
