"""Verify: whether a kit's data is still what a git revision says, file by file, by md5."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import kitline
from kitline.errors import SourceError
from kitline.plugin import ExportContext, read_kit

from kitline_dvc.content_finder import ContentFinder
from kitline_dvc.datasets import choose_datasets
from kitline_dvc.listing import listing_md5
from kitline_dvc.md5 import is_legacy, md5_of, new_md5
from kitline_dvc.objects import read_list
from kitline_dvc.options import Options
from kitline_dvc.revision import open_revision
from kitline_dvc.selection import select
from kitline_dvc.source import DvcSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline import LayoutReference, PinnedReference, Settings
    from kitline.plugin import Kit, Progress

    from kitline_dvc.datasets import KitDataset
    from kitline_dvc.inside.repository import Repository
    from kitline_dvc.selection import Tracked

Kind = Literal["added", "removed", "changed"]
"""From the revision to the kit: a file that only the kit holds was added."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One dataset of the kit beside what the revision tracks; changes are (kind, path inside)."""

    path: str
    kit_md5: str | None
    revision_md5: str | None
    changes: tuple[tuple[Kind, str], ...] = ()
    note: str = ""
    """Why nothing can be said of single files, if so."""
    is_reference: bool = False
    """Whether the kit holds a list of md5s instead of the files."""

    @property
    def shown(self) -> str:
        """The path, and that only names are held if so."""
        return f"{self.path} (by reference, md5)" if self.is_reference else self.path

    @property
    def is_equal(self) -> bool:
        """Whether both are the same files with the same content."""
        return not self.changes and not self.note

    def to_json(self) -> dict[str, Any]:
        """Return the row as `--json` prints it."""
        return {
            "path": self.path,
            "equal": self.is_equal,
            "kitMd5": self.kit_md5,
            "revisionMd5": self.revision_md5,
            "changes": [{"kind": kind, "path": path} for kind, path in self.changes],
            "note": self.note or None,
            "byReference": self.is_reference,
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the comparison found; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference | LayoutReference
    commit: str
    paths: tuple[Compared, ...]

    def __str__(self) -> str:
        return str(self.reference)

    @property
    def is_equal(self) -> bool:
        """Whether the kit holds what the revision says."""
        return all(each.is_equal for each in self.paths)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.reference.digest),
            "commit": self.commit,
            "equal": self.is_equal,
            "paths": [each.to_json() for each in self.paths],
        }


def verify(
    source: str,
    *,
    revision: str = "HEAD",
    repo: str | Path = ".",
    path: str | None = None,
    dataset: str = "all",
    recorded: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Compare a kit's data with what a revision of a DVC repository tracks under the same paths.

    The kit's layers are read and hashed, without writing any of it; with `recorded` the md5 that
    the Kitfile notes is believed instead. `path` is where the repository has a dataset that the kit
    has elsewhere.

    Raises:
        SourceError: if there is no such revision, or it tracks nothing there.
        VerificationError: if the kit is not what its own digest promises.
    """
    with kitline.open_kit(source, settings=settings) as kit:
        chosen = choose_datasets(kit, dataset)
        if path is not None and len(chosen) > 1:
            raise SourceError(
                f"{kit.reference} holds {len(chosen)} datasets, and one path is named;"
                " name the dataset too"
            )
        paths = {each: path or each.path for each in chosen}
        opened = open_revision(
            DvcSource(paths=tuple(paths.values()), revision=revision),
            Options(repo=os.fspath(_top(Path(repo)))),
        )
        commit = opened.repository.commit
        found = tuple(
            replace(
                _compare(
                    kit, each, opened.repository, paths[each], recorded=recorded, progress=progress
                ),
                is_reference=each.is_reference,
            )
            for each in chosen
        )
        return Verdict(reference=kit.reference, commit=commit, paths=found)


def _top(folder: Path) -> Path:
    """Return the folder of the DVC repository around a folder, for a kit's paths begin there."""
    for each in (folder.absolute(), *folder.absolute().parents):
        if (each / ".dvc").is_dir():
            return each
    return folder  # a bare repository, or none, which the next step says


def _compare(
    kit: Kit,
    dataset: KitDataset,
    repository: Repository,
    path: str,
    *,
    recorded: bool,
    progress: Progress | None,
) -> Compared:
    tracked = [each for each in select(repository, [path]).tracked if each.path == path]
    if not tracked:
        raise SourceError(
            f"{path!r} is a folder above several outputs at commit {repository.commit[:12]},"
            " and not one dataset; import and verify them one by one"
        )
    output = tracked[0].output
    theirs = output.md5 if output is not None and not tracked[0].inner else None
    if recorded and theirs is not None:
        mine = dataset.claimed_md5
        note = "" if mine == theirs else "the md5 that the Kitfile notes is another one"
        return Compared(path=path, kit_md5=mine, revision_md5=theirs, note=note)
    legacy = output is not None and is_legacy(output.hash_name)
    held = _kit_files(kit, dataset, legacy=legacy, progress=progress)
    mine = held[""] if list(held) == [""] else listing_md5(held.items())
    if mine == theirs:
        return Compared(path=path, kit_md5=mine, revision_md5=theirs)
    try:
        stated = _revision_files(repository, tracked[0], path)
    except SourceError as cause:
        if theirs is None:
            raise
        note = f"which files differ cannot be told: {cause}"
        return Compared(path=path, kit_md5=mine, revision_md5=theirs, note=note)
    whole = stated[""] if list(stated) == [""] else listing_md5(stated.items())
    return Compared(
        path=path, kit_md5=mine, revision_md5=theirs or whole, changes=_changes(stated, held)
    )


def _kit_files(
    kit: Kit, dataset: KitDataset, *, legacy: bool, progress: Progress | None
) -> dict[str, str]:
    """Return the md5 of each file by its path inside of the dataset."""
    if dataset.is_reference:
        return {each.path: each.md5 for each in read_list(kit, dataset).files}
    sink = _Hashing(legacy=legacy)
    progress = progress or ExportContext().progress
    read_kit(kit, sink, select=dataset.holds, progress=progress)
    top = "" if dataset.path == "." else dataset.path
    return {_inner(name, top): md5 for name, md5 in sink.found.items()}


def _revision_files(repository: Repository, tracked: Tracked, path: str) -> dict[str, str]:
    finder = ContentFinder(repository, remote=None, fill_cache=False)
    try:
        return {
            _inner(each.path, path): each.md5 or md5_of(repository.read_git(each.path))
            for each in finder.find(tracked).files
        }
    finally:
        finder.close()  # clones of what was imported


def _inner(name: str, top: str) -> str:
    if name == top:
        return ""
    # a layer may hold names outside of its path: they count as they are
    return name[len(top) + 1 :] if top and name.startswith(f"{top}/") else name


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[tuple[Kind, str], ...]:
    found: list[tuple[Kind, str]] = []
    for path in sorted({*before, *after}):
        if path not in before:
            found.append(("added", path))
        elif path not in after:
            found.append(("removed", path))
        elif before[path] != after[path]:
            found.append(("changed", path))
    return tuple(found)


class _Hashing:
    """Takes files and keeps the md5 of each."""

    def __init__(self, *, legacy: bool) -> None:
        self.found: dict[str, str] = {}
        self._legacy = legacy
        self._path = ""
        self._hasher = new_md5(legacy=legacy)

    def add_folder(self, path: str, mode: int) -> None: ...

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._path, self._hasher = path, new_md5(legacy=self._legacy)

    def write(self, view: memoryview) -> None:
        self._hasher.update(view)

    def end_file(self) -> None:
        self.found[self._path] = self._hasher.hexdigest()
