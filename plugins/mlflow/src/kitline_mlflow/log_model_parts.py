"""Files and folders that go into a kit beside the model: datasets, code, docs, prompts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import SourceError, UsageError
from kitline.plugin import Code, Dataset, Docs, FileTree, Kitfile, Prompt

from kitline_mlflow.local_files import local_entry

if TYPE_CHECKING:
    from kitline.plugin import Collected, Entry

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
_LEFT_OUT = ("__pycache__", ".git")
_DRAWERS = ("datasets", "code", "docs", "prompts")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What goes into each drawer, as paths of this disk."""

    datasets: tuple[Path, ...] = ()
    code: tuple[Path, ...] = ()
    docs: tuple[Path, ...] = ()
    prompts: tuple[Path, ...] = ()

    @classmethod
    def read(cls, *, datasets: Paths, code: Paths, docs: Paths, prompts: Paths) -> Parts:
        """Take what was given.

        Raises:
            UsageError: if a path is missing, or two of one drawer have the same name.
        """
        given = zip(_DRAWERS, (datasets, code, docs, prompts), strict=True)
        return cls(**{drawer: _paths(drawer, each) for drawer, each in given})

    def __bool__(self) -> bool:
        return any(self.drawers.values())

    @property
    def drawers(self) -> dict[str, tuple[Path, ...]]:
        """What was given, by drawer."""
        return {drawer: getattr(self, drawer) for drawer in _DRAWERS}

    def add_to(self, collected: Collected) -> Collected:
        """Return what was collected with these parts; the same one if there are none.

        Raises:
            SourceError: if a file is none, or is in the kit already.
        """
        if not self:
            return collected
        kitfile = collected.tree.kitfile
        grown = replace(
            kitfile,
            datasets=(*kitfile.datasets, *_datasets(self.datasets)),
            code=(*kitfile.code, *(Code(path=each) for each in _names("code", self.code))),
            docs=(*kitfile.docs, *(Docs(path=each) for each in _names("docs", self.docs))),
            prompts=(
                *kitfile.prompts,
                *(Prompt(path=each) for each in _names("prompts", self.prompts)),
            ),
        )
        return replace(collected, tree=_with_files(collected, grown, self._files()))

    def _files(self) -> list[Entry]:
        return [
            entry
            for drawer, paths in self.drawers.items()
            for path in paths
            for entry in _entries(f"{drawer}/{path.name}", path)
        ]


def _with_files(collected: Collected, kitfile: Kitfile, files: list[Entry]) -> FileTree:
    there = [each for each in collected.tree.entries() if not each.is_folder]
    both = {each.path for each in there} & {each.path for each in files}
    if both:
        raise SourceError(f"the kit of the model holds {min(both)!r} already; rename the file")
    return FileTree(kitfile=kitfile, files=(*there, *files))


def _datasets(paths: tuple[Path, ...]) -> list[Dataset]:
    return [Dataset(name=each.name, path=f"datasets/{each.name}") for each in paths]


def _names(drawer: str, paths: tuple[Path, ...]) -> list[str]:
    return [f"{drawer}/{each.name}" for each in paths]


def _paths(drawer: str, given: Paths) -> tuple[Path, ...]:
    listed = (given,) if isinstance(given, str | os.PathLike) else tuple(given)
    found = tuple(Path(each).resolve() for each in listed)
    for path in found:
        if not path.exists():
            raise UsageError(f"{drawer}: there is no file or folder {str(path)!r}")
    if len({each.name for each in found}) < len(found):
        names = ", ".join(repr(each.name) for each in found)
        raise UsageError(f"{drawer}: two of {names} have the same name")
    return tuple(sorted(found, key=lambda each: each.name))


def _entries(name: str, path: Path) -> list[Entry]:
    if not path.is_dir():
        return [local_entry(name, path)]
    found = []
    for parent, folders, files in os.walk(path):
        folders[:] = [each for each in folders if each not in _LEFT_OUT]
        linked = [each for each in folders if Path(parent, each).is_symlink()]
        if linked:
            raise SourceError(f"{str(Path(parent, linked[0]))!r} is a link to a folder")
        for each in files:
            inside = Path(parent, each)
            found.append(local_entry(f"{name}/{inside.relative_to(path).as_posix()}", inside))
    return found
