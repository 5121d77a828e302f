"""Params and metrics: what a stage was run with and what it measured, as parameters of the kit."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

from kitline_dvc.files import file_entries
from kitline_dvc.selection import Tracked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline_dvc.content_finder import ContentFinder
    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.repository import Repository
    from kitline_dvc.selection import Stage

_LIMIT = 1 << 20
"""A metrics file of more bytes is no list of numbers."""
_VALUES = 100_000
"""Most params and metrics that are told; YAML can name one list often, and nest such lists."""


def stage_parameters(
    repository: Repository, stages: Sequence[Stage], finder: ContentFinder, *, everything: bool
) -> dict[str, Any]:
    """Return `params` and `metrics`, by file; those of the stages, or of the whole repository.

    Raises:
        SourceError: if a file of metrics is missing or cannot be read.
    """
    params: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    if everything:
        params |= repository.all_parameters()
        metrics |= repository.all_metrics()
    for stage in stages:
        for file, values in repository.stage_parameters(stage.file, stage.name).items():
            params.setdefault(file, {}).update(values)
        for output in stage.metrics:
            metrics[output.path] = _read_values(repository, finder, output)
    seen = count()
    try:
        found = {"metrics": _plain(metrics, seen), "params": _plain(params, seen)}
    except RecursionError as cause:
        raise SourceError("params or metrics hold themselves, or are nested too deep") from cause
    return {key: value for key, value in found.items() if value}


def _read_values(repository: Repository, finder: ContentFinder, output: Output) -> Any:
    if output.in_git:
        if not repository.has_git_file(output.path):
            raise SourceError(
                f"the metrics {output.path!r} are not there at commit {repository.commit[:12]};"
                " commit them with git"
            )
        raw = repository.read_git(output.path)
    else:
        raw = _read_cached(finder, output)
    import yaml

    try:
        return json.loads(raw) if output.path.endswith(".json") else yaml.safe_load(raw)
    except (ValueError, RecursionError, yaml.YAMLError) as cause:
        raise SourceError(f"cannot read the metrics {output.path!r}: {cause}") from cause


def _read_cached(finder: ContentFinder, output: Output) -> bytes:
    (entry,) = file_entries(finder.find(Tracked(path=output.path, output=output)).files)
    if entry.size is None or entry.size > _LIMIT or entry.open is None:
        raise SourceError(f"the metrics {output.path!r} have {entry.size} bytes")
    raw = bytearray(entry.size)
    with entry.open(0) as stream:
        done = 0
        while done < len(raw):
            done += stream.readinto(memoryview(raw)[done:])
    return bytes(raw)


def _plain(value: Any, seen: Iterator[int]) -> Any:
    """Return a value as JSON and YAML have it; keys are sorted, other kinds become texts."""
    if next(seen) >= _VALUES:
        raise SourceError(f"params and metrics hold more than {_VALUES} values")
    if isinstance(value, dict):
        return {str(key): _plain(value[key], seen) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_plain(each, seen) for each in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
