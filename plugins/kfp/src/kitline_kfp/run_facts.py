"""What is said beside a kit of a run: how it came to be, its parameters, its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin import Statement, provenance, without_passwords

from kitline_kfp.steps.evaluation import evaluation, numbers_of
from kitline_kfp.steps.values import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline_kfp.run_choice import Choice
    from kitline_kfp.run_reader import RunReader

RUN_TYPE = "https://kitline.io/kfp-run/v1"
BUILD_TYPE = "https://kitline.io/build-types/kfp-import/v1"


def describe_run(
    run: RunReader, choice: Choice, options: Mapping[str, Any]
) -> tuple[Statement, ...]:
    """Return statements about a run: provenance, its facts, and an evaluation if it has metrics."""
    metrics = {each.path: _numbers(each.metadata) for each in choice.metrics}
    metrics = {path: numbers for path, numbers in metrics.items() if numbers}
    started, finished = run.times
    found = [
        provenance(
            build_type=BUILD_TYPE,
            external_parameters={"source": f"kfp:{run.run_id}", "options": dict(options)},
            internal_parameters={"server": run.server} if run.server else None,
            invocation_id=run.run_id,
            started=started,
            finished=finished,
        )
    ]
    tasks = {
        each.name: {"parameters": _without_passwords(whole_numbers(dict(each.parameters)))}
        for each in choice.tasks
    }
    facts: dict[str, Any] = {"run": run.run_id, "tasks": tasks}
    if metrics:
        facts["metrics"] = metrics
    found.append(Statement(predicate_type=RUN_TYPE, predicate=facts))
    merged = {name: value for numbers in metrics.values() for name, value in numbers.items()}
    found += evaluation(merged)
    return tuple(found)


def _numbers(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers among metadata; confidence matrices and the like are none."""
    found = {}
    for name, value in metadata.items():
        try:
            found.update(numbers_of({name: value}))
        except UsageError:
            continue
    return found


def _without_passwords(value: Any) -> Any:
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, dict):
        return {key: _without_passwords(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_passwords(each) for each in value]
    return value
