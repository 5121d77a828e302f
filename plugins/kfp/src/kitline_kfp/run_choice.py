"""Which outputs of a run go into which drawer: by what the user says, else by their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import SourceError, UsageError

from kitline_kfp.steps.drawers import Content
from kitline_kfp.steps.evaluation import numbers_of
from kitline_kfp.steps.pushed import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_kfp.run_reader import RunArtifact, RunReader, RunTask
    from kitline_kfp.steps.drawers import Drawer

_BY_KIND: dict[str, Drawer] = {
    "system.Model": "model",
    "google.VertexModel": "model",
    "system.Dataset": "dataset",
    "system.HTML": "docs",
    "system.Markdown": "docs",
    "system.Artifact": "docs",
}
_METRICS = ("system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics")
_BY_OPTION: dict[str, Drawer] = {
    "model": "model",
    "parts": "part",
    "datasets": "dataset",
    "code": "code",
    "docs": "docs",
    "prompts": "prompt",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What becomes the kit, and what is said beside it."""

    tasks: tuple[RunTask, ...]
    contents: tuple[Content, ...]
    metrics: tuple[RunArtifact, ...]


def choose(
    run: RunReader, *, tasks: Sequence[str] = (), drawers: Mapping[str, Sequence[str]]
) -> Choice:
    """Choose outputs of tasks (all, unless some are named).

    Raises:
        SourceError: if a task or an output is not there, or nothing says what an output is.
        UsageError: if two outputs would be the model.
    """
    found = _tasks(run, tasks)
    outputs = {each.path: each for task in found for each in task.artifacts}
    if drawers:
        named = {
            option: [_output(outputs, path) for path in paths] for option, paths in drawers.items()
        }
        metrics = named.pop("metrics", [])
        chosen = [(_BY_OPTION[option], each) for option, group in named.items() for each in group]
    else:
        metrics = [each for each in outputs.values() if _is_metrics(each)]
        chosen = _by_type([each for each in outputs.values() if each not in metrics])
    models = [each.path for drawer, each in chosen if drawer == "model"]
    if len(models) > 1:
        raise UsageError(
            f"the run made {len(models)} models, and a kit holds one: {', '.join(models)}; choose"
            f" with -o task=TASK or -o model={models[-1]}, or make one kit per task"
        )
    return Choice(
        tasks=found,
        contents=tuple(_content(drawer, each) for drawer, each in chosen),
        metrics=tuple(metrics),
    )


def _tasks(run: RunReader, names: Sequence[str]) -> tuple[RunTask, ...]:
    known = {each.name: each for each in run.tasks()}
    for name in names:
        if name not in known:
            raise SourceError(
                f"run {run.run_id!r} has no finished task {name!r}; there are"
                f" {', '.join(map(repr, known))}"
            )
    return tuple(known[name] for name in (names or known))


def _output(outputs: Mapping[str, RunArtifact], path: str) -> RunArtifact:
    found = outputs.get(path)
    if found is None:
        there = ", ".join(map(repr, outputs)) or "none"
        raise SourceError(f"there is no output {path!r}; outputs are {there}")
    return found


def _by_type(artifacts: Sequence[RunArtifact]) -> list[tuple[Drawer, RunArtifact]]:
    """Return outputs with content and their drawers; receipts of kits are content of no kit."""
    written = [
        each
        for each in artifacts
        if each.open is not None and each.metadata.get("media_type") != MEDIA_TYPE
    ]
    unknown = [each.path for each in written if each.kind not in _BY_KIND]
    if unknown:
        raise SourceError(
            f"nothing tells what {', '.join(map(repr, unknown))} is; give the compiled pipeline"
            f" with -o spec=FILE, or say it: -o model={unknown[0]}"
        )
    return [(_BY_KIND[each.kind or ""], each) for each in written]


def _is_metrics(artifact: RunArtifact) -> bool:
    if artifact.kind in _METRICS:
        return True
    if artifact.kind is not None or artifact.open is not None or not artifact.metadata:
        return False
    try:
        return bool(numbers_of(artifact.metadata))
    except UsageError:
        return False


def _content(drawer: Drawer, artifact: RunArtifact) -> Content:
    if artifact.open is None:
        raise SourceError(f"output {artifact.path!r} was never written")
    return Content(drawer=drawer, name=artifact.name, source=artifact.open())
