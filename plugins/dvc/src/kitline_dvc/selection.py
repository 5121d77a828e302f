"""Selection: which outputs and git files a path or a stage means, and which drawer they go to."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kitline.errors import SourceError

from kitline_dvc.inside.changes import workspace_outputs
from kitline_dvc.listing import is_inside
from kitline_dvc.source import STAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.repository import GitFile, Repository

Drawer = Literal["model", "datasets", "docs", "code"]
_DVC_OWN = (".gitignore", ".dvcignore", "dvc.yaml", "dvc.lock")


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """One path of the kit: an output, a part of one, or files that git keeps."""

    path: str
    drawer: Drawer = "datasets"
    output: Output | None = None
    inner: str = ""
    """A path inside of the output; empty for all of it."""
    git: tuple[GitFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a pipeline, and what was asked of it."""

    file: str
    name: str
    metrics: tuple[Output, ...]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What goes into a kit."""

    tracked: tuple[Tracked, ...]
    stages: tuple[Stage, ...] = ()


def select(repository: Repository, paths: Iterable[str]) -> Selection:
    """Find what is meant by paths and stages.

    Raises:
        SourceError: if one of them is not tracked at this commit, or lies inside another.
    """
    outputs = [each for each in repository.outputs() if is_inside(each.path)]
    kinds = repository.artifact_kinds()
    tracked: list[Tracked] = []
    stages: list[Stage] = []
    for path in paths:
        match = STAGE.match(path)
        if match:
            stage, found = _select_stage(repository, outputs, match["file"], match["stage"])
            stages.append(stage)
        else:
            found = _select_path(repository, outputs, path)
            if any(each.path != path and not each.inner for each in found):
                _refuse_unreadable(repository, path)
        tracked += [_in_drawer(each, kinds) for each in found]
    unique = tuple({each.path: each for each in tracked}.values())
    _refuse_overlap(unique)
    return Selection(tracked=unique, stages=tuple(stages))


def _select_path(repository: Repository, outputs: list[Output], path: str) -> list[Tracked]:
    for each in outputs:
        if each.in_git:
            continue
        if each.path == path:
            return [Tracked(path=path, output=each)]
        if path.startswith(each.path + "/"):
            return [Tracked(path=path, output=each, inner=path[len(each.path) + 1 :])]
    prefix = f"{path}/" if path else ""
    below = [each for each in outputs if each.path.startswith(prefix) and not each.in_git]
    found = [Tracked(path=each.path, output=each) for each in below]
    git = _git_files(repository, path)
    if git:
        if not path:
            # the top of a kit is no path of a dataset: each of git's files is told by its own name
            found += [Tracked(path=each.path, git=(each,)) for each in git]
        else:
            found.append(Tracked(path=path, git=git))
    if not found:
        raise _not_tracked(repository, path)
    return sorted(found, key=lambda each: each.path)


def _git_files(repository: Repository, path: str) -> tuple[GitFile, ...]:
    found = []
    for each in repository.git_files(path):
        name = posixpath.basename(each.path)
        is_own = name in _DVC_OWN or name.endswith(".dvc") or each.path.startswith(".dvc/")
        if not is_own or each.path == path:
            found.append(each)
    return tuple(found)


def _select_stage(
    repository: Repository, outputs: list[Output], file: str, name: str
) -> tuple[Stage, list[Tracked]]:
    mine = [each for each in outputs if (each.file, each.stage) == (file, name)]
    if not mine and file in repository.unreadable:
        raise SourceError(
            f"cannot read {file!r} at commit {repository.commit[:12]}:"
            f" {repository.unreadable[file]}"
        )
    if not mine:
        known = sorted({str(each.stage) for each in outputs if each.file == file and each.stage})
        raise SourceError(
            f"{file!r} has no stage {name!r} with outputs at commit {repository.commit[:12]};"
            f" it has {', '.join(known) or 'none'}"
        )
    metrics = tuple(each for each in mine if each.is_metric)
    found = []
    for each in mine:
        if each.is_metric:
            continue
        if each.in_git:
            git = tuple(repository.git_files(each.path))
            if not git:
                raise SourceError(
                    f"{each.path!r} of stage {name!r} is to be kept by git ('cache: false') and"
                    f" is not there at commit {repository.commit[:12]}; commit it"
                )
            drawer: Drawer = "docs" if each.is_plot else "datasets"
            found.append(Tracked(path=each.path, git=git, drawer=drawer))
        else:
            found.append(
                Tracked(path=each.path, output=each, drawer="docs" if each.is_plot else "datasets")
            )
    if not found:
        raise SourceError(f"stage {name!r} of {file!r} has metrics only, and no data")
    return Stage(file=file, name=name, metrics=metrics), found


def _in_drawer(tracked: Tracked, kinds: dict[str, str]) -> Tracked:
    kind = kinds.get(tracked.path) or (tracked.output.kind if tracked.output else "")
    if kind != "model" or tracked.inner:
        return tracked
    return Tracked(path=tracked.path, drawer="model", output=tracked.output, git=tracked.git)


def _refuse_overlap(tracked: tuple[Tracked, ...]) -> None:
    for each in tracked:
        for other in tracked:
            is_plain = each.output is not None
            if is_plain and other.path.startswith(each.path + "/"):
                raise SourceError(f"{other.path!r} lies inside {each.path!r}; name one of them")


def _not_tracked(repository: Repository, path: str) -> SourceError:
    commit = repository.commit[:12]
    if repository.root is not None and any(
        each == path or path.startswith(each + "/") for each in workspace_outputs(repository.root)
    ):
        return SourceError(
            f"{path!r} is tracked in the workspace, but not at commit {commit}; commit its .dvc"
            " file (or dvc.yaml and dvc.lock) with git"
        )
    unreadable = "".join(
        f"; {file!r} may say so and cannot be read: {reason}"
        for file, reason in list(repository.unreadable.items())[:3]
    )
    return SourceError(
        f"{path!r} is tracked neither by DVC nor by git at commit {commit}; 'dvc list -R . --rev"
        f" {commit}' shows what is, and 'dvc add' adds to it{unreadable}"
    )


def _refuse_unreadable(repository: Repository, path: str) -> None:
    """Refuse a folder of which nobody knows all that is tracked below it."""
    prefix = f"{path}/" if path else ""
    for file, reason in repository.unreadable.items():
        if file.startswith(prefix):
            raise SourceError(
                f"cannot tell what is tracked below {path or '.'!r} at commit"
                f" {repository.commit[:12]}: {file!r} cannot be read: {reason}"
            )
