"""The run of a copied model: its times, params, tags, inputs, and every point of its metrics.

MLflow chooses run and model ids and the creation time of a model itself; all else is as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kitline.plugin import PinnedReference

from kitline_mlflow import tags as names
from kitline_mlflow.manifest_parents import manifest_parents, parent_digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kitline.plugin import Kit
    from mlflow.entities import Metric

    from kitline_mlflow.copy_facts import Facts, Input, Point, RunFacts
    from kitline_mlflow.export_server import TargetServer

_T = TypeVar("_T")
SOURCE_RUN = "kitline.source.run-id"
"""On a copied run: the id that it had where it was made."""
_DATA = "data"
_FOREIGN = ("mlflow.parentRunId", "mlflow.log-model.history", "mlflow.linkedPrompts")
"""Tags with ids of the other server."""
_PARAM_LIMIT = 6000
_TAG_LIMIT = 8000
_FINISHED = "FINISHED"
_STILL_RUNNING = (
    "the kit's statement was made while the run was still going, so its copy ends with its last"
    " metric; 'kitline_mlflow.attest_run()' after the end of a run tells the rest"
)
_POINTS = 1000
_PARAMS = 100
"""The most that MLflow takes in one request."""


def start_run(
    server: TargetServer, experiment_id: str, facts: Facts, kit: Kit, *, tags: Mapping[str, str]
) -> str | None:
    """Make the run with params, tags and inputs; return its id, or None if nothing tells of it.

    `tags` come on top of what the run had, and of those that name the kit.
    """
    from mlflow.entities import Param

    run = facts.run
    if run is None:
        return None
    kept = {key: value for key, value in run.tags.items() if key not in _FOREIGN}
    made = server.client.create_run(
        experiment_id,
        start_time=run.started,
        run_name=run.name,
        tags={**kept, **names_of(kit), **_inputs_of(kit), SOURCE_RUN: run.id, **tags},
    )
    run_id = str(made.info.run_id)
    try:
        params = [Param(key, value) for key, value in run.params.items()]
        for batch in _batches(params, _PARAMS):
            server.client.log_batch(run_id, params=batch)
        if run.inputs:
            server.client.log_inputs(run_id, [_dataset_input(each) for each in run.inputs])
    except BaseException:
        server.client.delete_run(run_id)
        raise
    return run_id


def finish_run(server: TargetServer, run_id: str, model_id: str, facts: Facts) -> list[str]:
    """Log the metrics, link the model and end the run; return warnings."""
    from mlflow.entities import LoggedModelOutput

    run = facts.run
    assert run is not None
    for batch in _batches(_metrics(facts, run, model_id), _POINTS):
        server.client.log_batch(run_id, metrics=batch)
    server.client.log_outputs(run_id, [LoggedModelOutput(model_id, run.step)])
    is_over = run.ended is not None
    server.client.set_terminated(
        run_id,
        status=run.status if is_over else _FINISHED,
        end_time=run.ended if is_over else _last_time(run),
    )
    return [*_cut(run), *(() if is_over else (_STILL_RUNNING,))]


def _last_time(run: RunFacts) -> int | None:
    times = [each.timestamp for each in run.history]
    return max(times, default=run.started)


def names_of(kit: Kit) -> dict[str, str]:
    """Return the tags that say which kit this is, and what it was made from."""
    found = {names.DIGEST: str(kit.manifest.digest)}
    if isinstance(kit.reference, PinnedReference):
        found[names.REFERENCE] = str(kit.reference)
    parents = parent_digests(kit.manifest.annotations)
    return found | ({names.PARENT: ",".join(parents)} if parents else {})


def _inputs_of(kit: Kit) -> dict[str, str]:
    """Return the run's stamp of the kits that it was given, which no statement repeats."""
    parents = manifest_parents(kit.manifest.annotations)
    data = [digest for digest, role in parents if role == _DATA]
    return {names.INPUT: ",".join(data)} if data else {}


def _metrics(facts: Facts, run: RunFacts, model_id: str) -> list[Metric]:
    """Return all points; those of the model name it, and stand in the run's history too."""
    of_model = [_metric(each, model_id) for each in facts.model_metrics]
    told = {_place(each) for each in facts.model_metrics}
    return [*(_metric(each, None) for each in run.history if _place(each) not in told), *of_model]


def _place(point: Point) -> tuple[str, int, int, str]:
    return (point.key, point.timestamp, point.step, repr(point.value))


def _metric(point: Point, model_id: str | None) -> Metric:
    from mlflow.entities import Metric

    return Metric(
        point.key,
        point.value,
        point.timestamp,
        point.step,
        model_id=model_id,
        dataset_name=point.dataset,
        dataset_digest=point.dataset_digest,
    )


def _dataset_input(given: Input) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = Dataset(
        name=given.name,
        digest=given.digest,
        source_type=given.source_type,
        source=given.source,
        schema=given.schema,
        profile=given.profile,
    )
    return DatasetInput(data, [InputTag(key, value) for key, value in given.tags.items()])


def _cut(run: RunFacts) -> Iterator[str]:
    """MLflow says only in its log that it cuts long values."""
    yield from _longer(run.params, _PARAM_LIMIT, "param")
    yield from _longer(run.tags, _TAG_LIMIT, "tag")


def _longer(fields: Mapping[str, str], limit: int, what: str) -> Iterator[str]:
    for key, value in fields.items():
        if len(value) > limit:
            yield f"{what} {key!r} has {len(value)} characters, MLflow keeps the first {limit}"


def _batches(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
