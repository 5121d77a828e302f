"""Object places: where the objects of an output lie, in the cache, on this disk or elsewhere."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import without_passwords

from kitline_dvc.content import Content
from kitline_dvc.listing import check_size
from kitline_dvc.md5 import is_legacy
from kitline_dvc.read_ahead import Fetcher
from kitline_dvc.remote_sizes import find_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.inside.repository import Repository


class ObjectPlaces:
    """The places of one repository: its cache, then the remote that is asked for or configured."""

    def __init__(self, repository: Repository, remote: str | None) -> None:
        self._repository = repository
        self._remote_name = remote
        self._remotes: dict[str | None, tuple[Remote, Fetcher] | None] = {}

    def remotes(self) -> list[Remote]:
        """Return the remotes that were looked at."""
        return [found[0] for found in self._remotes.values() if found]

    def require_in_remote(self, output: Output, files: Iterable[Content]) -> None:
        """See that a remote holds all of an output's files, for whoever fetches them later.

        Raises:
            SourceError: if there is no such remote, or a file is missing there.
        """
        found = self.find_remote(output)
        if found is None or found[0].is_versioned:
            raise SourceError(
                f"{output.path!r} cannot be told by reference: that takes a remote that keeps"
                " objects by md5, and none is configured"
            )
        remote, fetcher = found
        folder = remote.folder(output.hash_name)
        names = {each.md5 for each in files if each.md5}
        if remote.is_local:
            absent = {each for each in names if not os.path.isfile(object_path(folder, each))}
        else:
            try:
                absent = names - find_sizes(remote, fetcher, folder, names).keys()
            except Exception as cause:
                raise unreachable(remote, cause) from cause
        if absent:
            raise SourceError(
                f"{output.path!r} cannot be told by reference: the remote {remote.name!r} lacks"
                f" {len(absent)} of {len(names)} objects, such as {min(absent)}; run 'dvc push'"
            )

    def has_cached(self, output: Output) -> bool:
        """Tell whether the cache holds the object that names an output."""
        cache = self._repository.cache_folder(output.hash_name)
        return bool(output.md5 and cache and os.path.isfile(object_path(cache, output.md5)))

    def read_object(self, output: Output, name: str) -> bytes | None:
        """Read a listing whole; None if it is nowhere.

        Raises:
            SourceError: if the remote does not answer, or the listing is too large to be one.
        """
        for folder in self.folders(output):
            try:
                with open(object_path(folder, name), "rb") as file:
                    check_size(os.fstat(file.fileno()).st_size, repr(output.path))
                    return file.read()
            except FileNotFoundError:
                continue
        found = None if output.imported else self.find_remote(output)
        if found is None or found[0].is_local:
            return None
        remote, fetcher = found
        address = object_path(remote.folder(output.hash_name), name)
        try:
            check_size(remote.fs.info(address).get("size") or 0, repr(output.path))
            return fetcher.fetch(address, None, None).result()
        except FileNotFoundError:
            return None
        except SourceError:
            raise
        except Exception as cause:
            raise unreachable(remote, cause) from cause

    def on_disk(
        self, output: Output, rows: list[tuple[str, str]]
    ) -> tuple[list[Content], list[tuple[str, str]]]:
        """Return what lies in the cache or in a remote on this disk, and what does not."""
        found: list[Content] = []
        left = rows
        legacy = is_legacy(output.hash_name)
        lstat, is_regular, top = os.lstat, stat.S_ISREG, output.path
        for folder in self.folders(output):
            rows, left = left, []
            for inner, md5 in rows:
                path = f"{folder}/{md5[:2]}/{md5[2:]}"
                try:
                    status = lstat(path)
                except (FileNotFoundError, NotADirectoryError):
                    left.append((inner, md5))
                    continue
                if not is_regular(status.st_mode):
                    raise SourceError(f"the cache file {path!r} is no file but a link or a folder")
                found.append(
                    Content(
                        path=f"{top}/{inner}" if inner else top,
                        md5=md5,
                        size=status.st_size,
                        is_legacy=legacy,
                        is_executable=output.is_executable and not inner,
                        local=path,
                    )
                )
            if not left:
                break
        return found, left

    def in_remote(self, output: Output, missing: list[tuple[str, str]]) -> list[Content]:
        """Return files that only a remote elsewhere has.

        Raises:
            SourceError: if one of them is not there, or the remote does not answer.
        """
        found = self.find_remote(output)
        if found is None or found[0].is_local or found[0].is_versioned:
            raise self.missing(output, missing)
        remote, fetcher = found
        folder = remote.folder(output.hash_name)
        names = {md5 for _, md5 in missing}
        try:
            sizes = find_sizes(remote, fetcher, folder, names)
        except Exception as cause:
            raise unreachable(remote, cause) from cause
        absent = [(inner, md5) for inner, md5 in missing if md5 not in sizes]
        if absent:
            raise self.missing(output, absent)
        return [
            Content(
                path=f"{output.path}/{inner}" if inner else output.path,
                md5=md5,
                size=sizes[md5],
                is_legacy=is_legacy(output.hash_name),
                is_executable=output.is_executable and not inner,
                remote=object_path(folder, md5),
                fetcher=fetcher,
            )
            for inner, md5 in missing
        ]

    def folders(self, output: Output) -> Iterator[str]:
        """Return the folders of this disk that may hold objects of an output, the cache first."""
        cache = self._repository.cache_folder(output.hash_name)
        if cache is not None:
            yield cache
        if not output.imported:
            remote = self.find_remote(output)
            if remote and remote[0].is_local and not remote[0].is_versioned:
                yield remote[0].folder(output.hash_name)

    def find_remote(self, output: Output) -> tuple[Remote, Fetcher] | None:
        """Return the remote of an output, opened once; None if none is configured."""
        name = self._remote_name or output.remote
        if name not in self._remotes:
            remote = self._repository.find_remote(name)
            self._remotes[name] = (remote, Fetcher(remote.fs)) if remote else None
        return self._remotes[name]

    def missing(self, output: Output, rows: list[tuple[str, str]]) -> SourceError:
        """Say which files are nowhere."""
        inner, md5 = rows[0]
        path = output.path if inner in ("", output.path) else f"{output.path}/{inner}"
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        cache = self._repository.cache_folder(output.hash_name)
        remote = self.find_remote(output)
        places = f"the cache {cache!r}" if cache else "a cache (there is none here)"
        there = f"the remote {remote[0].name!r}" if remote else "a remote (none is configured)"
        known = f"md5 {md5}" if md5 else "without md5"
        return SourceError(
            f"{path!r} ({known}){more} is neither in {places} nor in {there};"
            " 'dvc push' where the data is, or name another remote with '-o remote='"
        )


def object_path(folder: str, md5: str) -> str:
    """Return where a folder of objects holds one."""
    return f"{folder}/{md5[:2]}/{md5[2:]}"


def unreachable(remote: Remote, cause: Exception) -> SourceError:
    """Say that a remote does not answer, without secrets."""
    if isinstance(cause, SourceError):
        return cause
    text = without_passwords(f"{type(cause).__name__}: {cause}")
    return SourceError(f"cannot read the remote {remote.name!r} at {remote.url!r}: {text}")
