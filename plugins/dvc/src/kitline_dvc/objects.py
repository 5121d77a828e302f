"""Objects: files that a list names by md5, read from a cache or a remote and written to a folder.

Each is compared with its md5 and size while it is written; remote ones arrive many at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from kitline.errors import Cancelled, MalformedContent, SourceError
from kitline.plugin import ExportContext, read_kit

from kitline_dvc.by_reference import LIMIT, read_file_list
from kitline_dvc.content import Content
from kitline_dvc.files import file_entries
from kitline_dvc.read_ahead import Fetcher

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kitline.plugin import Entry, Kit

    from kitline_dvc.by_reference import FileList, ReferencedFile
    from kitline_dvc.datasets import KitDataset
    from kitline_dvc.inside.remotes import Remote

_BUFFER = 1 << 20
_HASH = "md5"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Places(Protocol):
    """Where a repository keeps objects."""

    def cache_folder(self, hash_name: str) -> str | None:
        """Return the folder of the cache; None if there is none."""

    def find_remote(self, name: str | None) -> Remote | None:
        """Return a remote, the default one without name; None if there is no default."""


@dataclass(frozen=True, kw_only=True)
class OneRemote:
    """A remote without a repository."""

    remote: Remote

    def cache_folder(self, hash_name: str) -> str | None:
        return None

    def find_remote(self, name: str | None) -> Remote | None:
        return self.remote


def read_list(kit: Kit, dataset: KitDataset) -> FileList:
    """Return the list of files that stands for a dataset.

    Raises:
        MalformedContent: if it is no list, or that of another path.
    """
    sink = _Text()
    read_kit(kit, sink, select=dataset.holds)
    found = read_file_list(bytes(sink.content))
    if found.path != dataset.path:
        raise MalformedContent(
            f"dataset {dataset.name!r} of {kit.reference} says that it is {dataset.path!r},"
            f" and its list is that of {found.path!r}"
        )
    return found


def named_files(files: FileList) -> dict[str, ReferencedFile]:
    """Return each file of a list under the path that it has in the kit."""
    top = files.path
    named = {f"{top}/{each.path}" if each.path else top: each for each in files.files}
    return {path: replace(each, path=path) for path, each in named.items()}


def fetch_files(
    files: Iterable[ReferencedFile],
    folder: Path,
    places: Places,
    *,
    remote: str | None = None,
    context: ExportContext | None = None,
) -> int:
    """Write files below a folder that nobody looks at yet; return how many bytes.

    Nothing in the folder is to be believed when this raises.

    Raises:
        SourceError: if a file is nowhere, or is not what its md5 and size promise.
    """
    wanted = sorted(files, key=lambda each: each.path)
    contents = _find(wanted, places, remote)
    size = sum(each.size for each in contents)
    context = context or ExportContext()
    task = context.progress.begin("data", size)
    made: set[str] = set()
    buffer = memoryview(bytearray(_BUFFER))
    for entry in file_entries(contents):
        if context.cancelled():
            raise Cancelled("fetching was stopped; nothing was kept")
        target = folder / entry.path
        above = os.fspath(target.parent)
        if above not in made:
            os.makedirs(above, exist_ok=True)
            made.add(above)
        _write(entry, target, buffer)
        task.advance(entry.size or 0)
    task.end("fetched")
    return size


def _find(files: list[ReferencedFile], places: Places, name: str | None) -> list[Content]:
    """Say of each file where it is read: the cache if it lies there whole, else the remote."""
    cache = places.cache_folder(_HASH)
    found, left = [], []
    for each in files:
        path = _object(cache, each.md5) if cache else None
        if path and os.path.isfile(path) and os.path.getsize(path) == each.size:
            found.append(Content(path=each.path, md5=each.md5, size=each.size, local=path))
        else:
            left.append(each)
    if not left:
        return found
    remote = places.find_remote(name)
    if remote is None:
        raise SourceError(
            f"{len(left)} of {len(files)} files lie in no cache here, such as"
            f" {left[0].path!r}, and no remote is configured;"
            " name one with --remote or --url"
        )
    if remote.is_versioned:
        raise SourceError(
            f"the remote {remote.name!r} is version-aware and does not keep objects by md5;"
            " name another one"
        )
    top = remote.folder(_HASH)
    if remote.is_local:
        return found + [_local(each, _object(top, each.md5), remote) for each in left]
    fetcher = Fetcher(remote.fs)
    return found + [
        Content(
            path=each.path,
            md5=each.md5,
            size=each.size,
            remote=_object(top, each.md5),
            fetcher=fetcher,
            is_ranged=True,  # the kit's size is asked for and no more
        )
        for each in left
    ]


def _local(file: ReferencedFile, path: str, remote: Remote) -> Content:
    try:
        size = os.stat(path).st_size
    except OSError as cause:
        raise SourceError(
            f"the remote {remote.name!r} does not hold {file.path!r} (md5 {file.md5});"
            " 'dvc push' where the data is"
        ) from cause
    if size != file.size:
        raise SourceError(
            f"{file.path!r} (md5 {file.md5}) in the remote {remote.name!r} has {size} bytes,"
            f" not {file.size}"
        )
    return Content(path=file.path, md5=file.md5, size=file.size, local=path)


def _write(entry: Entry, target: Path, buffer: memoryview) -> None:
    assert entry.open is not None
    fd = os.open(target, _NEW, 0o666)
    try:
        with entry.open(0) as stream:
            while count := stream.readinto(buffer):
                view = buffer[:count]
                while view:
                    view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def _object(folder: str | None, md5: str) -> str:
    return f"{folder}/{md5[:2]}/{md5[2:]}"


class _Text:
    """Keeps one file, which has to be small enough."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add_folder(self, path: str, mode: int) -> None: ...

    def begin_file(self, path: str, mode: int, size: int) -> None:
        if size > LIMIT or self.content:
            raise MalformedContent(
                f"{path!r} is no list of files: there is more than one, or it has {size} bytes"
            )

    def write(self, view: memoryview) -> None:
        self.content += view

    def end_file(self) -> None: ...
