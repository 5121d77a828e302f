"""A finished local run: the folder that KFP left, wherever it was moved since."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

from kitline_kfp.pipeline_spec import PipelineSpec
from kitline_kfp.run_reader import RunArtifact, RunTask
from kitline_kfp.steps.path_source import path_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kitline_kfp.steps.path_source import PathSource

_OUTPUT = "executor_output.json"
_SIZE_LIMIT = 64 << 20


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """A RunReader over a folder. The only thing believed is what lies in the folder."""

    folder: Path
    spec: PipelineSpec = field(default_factory=PipelineSpec)
    server: None = None

    @property
    def run_id(self) -> str:
        """The name of the folder: no other id is kept."""
        return self.folder.resolve().name

    @property
    def times(self) -> tuple[None, None]:
        """A folder tells none."""
        return None, None

    def tasks(self) -> Sequence[RunTask]:
        """Return the tasks that ended well; a failed one left no output."""
        if not self.folder.is_dir():
            raise SourceError(f"there is no run folder {str(self.folder)!r}")
        if os.path.lexists(self.folder / _OUTPUT):
            raise SourceError(
                f"{str(self.folder)!r} is one task; name the folder of its run, and the task after"
                f" it: kfp:RUN_FOLDER#{self.run_id}"
            )
        found = [self._read(each) for each in sorted(self._outputs())]
        if not found:
            raise SourceError(
                f"{str(self.folder)!r} holds no finished task; it is one folder below the pipeline"
                " root, and a run that came from KFP's cache leaves none"
            )
        return found

    def _outputs(self) -> Iterator[Path]:
        """Yield what tasks said at their end; what lies in an artifact is content, and no task."""
        for place, folders, files in os.walk(self.folder):
            if _OUTPUT in (*files, *folders):
                folders.clear()
                yield Path(place) / _OUTPUT

    def _read(self, output: Path) -> RunTask:
        name = output.parent.relative_to(self.folder).as_posix()
        if output.is_symlink() or not output.is_file():
            raise SourceError(f"task {name!r}: its {_OUTPUT!r} is no file")
        with output.open("rb") as file:
            text = file.read(_SIZE_LIMIT + 1)
        try:
            value = _decode(text) if len(text) <= _SIZE_LIMIT else None
        except (ValueError, RecursionError) as cause:
            raise SourceError(f"task {name!r}: its {_OUTPUT!r} is not JSON: {cause}") from cause
        if not isinstance(value, dict):
            raise SourceError(f"task {name!r}: its {_OUTPUT!r} is no executor output")
        listed = _first_artifacts(value.get("artifacts"))
        artifacts = tuple(self._artifacts(name, output.parent, listed))
        parameters = value.get("parameterValues")
        return RunTask(
            name=name,
            parameters={
                **(parameters if isinstance(parameters, dict) else {}),
                **_written(output.parent, {*_names(parameters), *listed, *_places(listed)}),
            },
            artifacts=artifacts,
        )

    def _artifacts(
        self, task: str, folder: Path, listed: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[RunArtifact]:
        # KFP's order is that of no declaration, and order goes into the digest
        for name, each in sorted(listed.items()):
            metadata = each.get("metadata")
            place = self._place(folder, task, str(each.get("uri") or ""))
            yield RunArtifact(
                task=task,
                name=name,
                kind=self.spec.find(task, name),
                metadata=metadata if isinstance(metadata, dict) else {},
                open=None if place is None else partial(_open, place, f"output '{task}/{name}'"),
            )

    def _place(self, folder: Path, task: str, uri: str) -> Path | None:
        """Return where an artifact lies in this folder; None if it was never written here.

        The address is absolute and that of another time: what follows the task's name holds.
        """
        inside = uri.rpartition(f"/{self.run_id}/{task}/")[2] if uri else ""
        if inside == uri:
            inside = uri.rpartition("/")[2]
        parts = PurePosixPath(inside).parts
        if not parts or ".." in parts or inside.startswith("/"):
            return None
        place = folder.resolve().joinpath(*parts)
        return place if place.exists() or place.is_symlink() else None


def _first_artifacts(listed: object) -> dict[str, Mapping[str, Any]]:
    """Return the artifact of each output; what is malformed counts as never written."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, group in listed.items() if isinstance(listed, dict) else ():
        each = group.get("artifacts") if isinstance(group, dict) else None
        if isinstance(each, list) and each and isinstance(each[0], dict):
            found[name] = each[0]
    return found


def _names(value: object) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _places(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for each in listed.values():
        yield str(each.get("uri") or "").rpartition("/")[2]


def _written(folder: Path, names: Collection[str]) -> dict[str, Any]:
    """Return parameters that a task wrote to files: they are not in the executor's output."""
    found = {}
    for path in sorted(folder.iterdir()):
        is_other = path.name in names or path.name == _OUTPUT or path.name.startswith(".")
        if is_other or path.is_symlink() or not path.is_file() or path.stat().st_size > 65536:
            continue
        found[path.name] = _parameter(path)
    return {name: each for name, each in found.items() if each is not None}


def _open(place: Path, what: str) -> PathSource:
    if place.resolve() != place:  # `place` itself, or a folder above it within the run
        raise SourceError(f"{what} is a link, which could lead anywhere; copy what it points to")
    return path_source(place, what)


def _parameter(path: Path) -> Any:
    """Read a parameter that a task wrote: JSON, else text; None if it is neither."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return text


def _decode(text: str | bytes) -> Any:
    """Read JSON as Python writes it: NaN and infinities, which JSON has not, become texts."""
    return json.loads(text, parse_constant=str, parse_float=_float)


def _float(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text
