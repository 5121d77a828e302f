"""Partitions: a dataset cut into layers, so that a change uploads only what it touches.

Where `files:N` cuts depends on names alone: a border follows a name whose sha256 ends in log2 N
zero bits. Partitions then hold N files on average, and a file that comes or goes moves no other
border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.plugin import Digest

from kitline_dvc.files import walk_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline_dvc.content import Content
    from kitline_dvc.options import Split


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Files that become one layer; `name` tells them apart, empty for the whole."""

    path: str
    name: str
    files: Sequence[Content]


def partitions(path: str, files: Sequence[Content], split: Split | None) -> list[Partition]:
    """Cut the files of the dataset at `path`; a single file stays whole."""
    if split is None or [each.path for each in files] == [path]:
        return [Partition(path=path, name="", files=files)]
    if split.files is None:
        return _by_directory(path, files)
    return _by_name(path, files, split.files)


def _by_directory(path: str, files: Iterable[Content]) -> list[Partition]:
    groups: dict[str, list[Content]] = {}
    for each in files:
        directory, slash, _ = each.path[len(path) + 1 :].partition("/")
        groups.setdefault(directory if slash else "", []).append(each)
    return [
        Partition(path=f"{path}/{name}" if name else path, name=name, files=groups[name])
        for name in sorted(groups)
    ]


def _by_name(path: str, files: Iterable[Content], average: int) -> list[Partition]:
    found: list[Partition] = []
    current: list[Content] = []
    for each in sorted(files, key=lambda each: walk_order(each.path)):
        current.append(each)
        if is_border(each.path[len(path) + 1 :], average):
            found.append(Partition(path=path, name=f"{len(found) + 1:04}", files=current))
            current = []
    if current:
        found.append(Partition(path=path, name=f"{len(found) + 1:04}", files=current))
    return found


def is_border(name: str, average: int) -> bool:
    """Tell whether a partition ends after the file of this name, relative to the dataset."""
    return int(Digest.of(name.encode("utf-8", "surrogateescape")).hex[-16:], 16) % average == 0
