"""Compiled pipelines: which type an output artifact has. A run folder does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIZE_LIMIT = 64 << 20


@dataclass(frozen=True, kw_only=True)
class PipelineSpec:
    """Schema titles by component and output, such as `{("train", "model"): "system.Model"}`."""

    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: str) -> PipelineSpec:
        """Read a compiled pipeline.

        Raises:
            SourceError: if it is missing or no pipeline.
        """
        import yaml

        try:
            with Path(path).open("rb") as file:
                text = file.read(_SIZE_LIMIT + 1)
        except OSError as cause:
            raise SourceError(f"cannot read the pipeline {path!r}: {cause.strerror}") from cause
        if len(text) > _SIZE_LIMIT:
            raise SourceError(f"cannot read the pipeline {path!r}: over {_SIZE_LIMIT} bytes")
        try:
            documents = list(yaml.safe_load_all(text))
        except (yaml.YAMLError, RecursionError, ValueError) as cause:
            raise SourceError(f"{path!r} is not YAML: {cause}") from cause
        found = cls.from_json(documents[0] if documents else None)
        if not found.kinds:
            raise SourceError(f"{path!r} is no compiled pipeline with output artifacts")
        return found

    @classmethod
    def from_json(cls, value: object) -> PipelineSpec:
        """Read what a pipeline says of its components; what it does not say is left out."""
        kinds = {}
        components = _items(_get(value, "components"))
        for key, component in components:
            for name, kind in _kinds(component):
                kinds[key.removeprefix("comp-"), name] = kind
        # clusters name the outputs of a task after its display name
        known = dict(components)
        for graph in (_get(value, "root"), *known.values()):
            for _, task in _items(_get(graph, "dag", "tasks")):
                shown = _get(task, "taskInfo", "name")
                component = known.get(str(_get(task, "componentRef", "name")))
                for name, kind in _kinds(component):
                    kinds.setdefault((str(shown), name), kind)
        return cls(kinds=kinds)

    def find(self, task: str, name: str) -> str | None:
        """Return the type of an output; a loop's task is named after its component too."""
        return self.kinds.get((task.rpartition("/")[2], name))


def _kinds(component: object) -> Iterator[tuple[str, str]]:
    for name, output in _items(_get(component, "outputDefinitions", "artifacts")):
        kind = _get(output, "artifactType", "schemaTitle")
        if isinstance(kind, str):
            yield name, kind


def _get(value: object, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _items(value: object) -> list[tuple[str, Any]]:
    return [(str(key), each) for key, each in value.items()] if isinstance(value, dict) else []
