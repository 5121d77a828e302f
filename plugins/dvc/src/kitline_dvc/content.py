"""Content: where each file of a tracked path lies, in the cache, a remote, git or elsewhere."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_dvc.listing import check_names, is_inside, listing_md5, read_listing
from kitline_dvc.md5 import EMPTY, MD5, is_legacy, md5_of
from kitline_dvc.read_ahead import Fetcher
from kitline_dvc.remote_sizes import find_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.inside.repository import GitFile, Repository
    from kitline_dvc.selection import Tracked

_DEPTH = 5
"""How many imports may follow each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """One file: `path` in the kit, and one of `local`, `remote` and `git` to read it from."""

    path: str
    md5: str | None
    size: int
    is_legacy: bool = False
    is_executable: bool = False
    local: str | None = None
    """A file of the cache, or of a remote on this disk."""
    remote: str | None = None
    fetcher: Fetcher | None = None
    is_ranged: bool = False
    """Whether no more than `size` bytes may be asked for, as nobody else vouches for it."""
    git: GitFile | None = None
    repository: Repository | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """The files of a tracked path, with what DVC calls them together."""

    files: tuple[Content, ...]
    md5: str | None


class ContentFinder:
    """Finds the files of tracked paths in one repository."""

    def __init__(
        self, repository: Repository, *, remote: str | None, fill_cache: bool, depth: int = 0
    ) -> None:
        self._repository = repository
        self._remote_name = remote
        self._fill_cache = fill_cache
        self._depth = depth
        self._others: list[Repository] = []
        self._remotes: dict[str | None, tuple[Remote, Fetcher] | None] = {}

    def find(self, tracked: Tracked) -> Found:
        """Return the files of a path.

        Raises:
            SourceError: if one of them is nowhere, or a listing cannot be trusted.
        """
        output = tracked.output
        if output is None:
            return Found(files=tuple(self._git(tracked.git)), md5=None)
        if self._fill_cache and self._repository.cache_folder(output.hash_name) is None:
            raise SourceError(
                "option 'fill-cache' needs a cache, and this repository has none"
                " here; name one with '-o cache-dir='"
            )
        files = self._output_files(output)
        if not tracked.inner:
            return Found(files=tuple(files), md5=output.md5)
        return self._part(tracked, output, files)

    def require_in_remote(self, output: Output, files: Iterable[Content]) -> None:
        """See that a remote holds all of an output's files, for whoever fetches them later.

        Raises:
            SourceError: if there is no such remote, or a file is missing there.
        """
        found = self._remote(output)
        if found is None or found[0].is_versioned:
            raise SourceError(
                f"{output.path!r} cannot be told by reference: that takes a remote that keeps"
                " objects by md5, and none is configured"
            )
        remote, fetcher = found
        folder = remote.folder(output.hash_name)
        names = {each.md5 for each in files if each.md5}
        if remote.is_local:
            absent = {each for each in names if not os.path.isfile(_object_path(folder, each))}
        else:
            try:
                absent = names - find_sizes(remote, fetcher, folder, names).keys()
            except Exception as cause:
                raise _unreachable(remote, cause) from cause
        if absent:
            raise SourceError(
                f"{output.path!r} cannot be told by reference: the remote {remote.name!r} lacks"
                f" {len(absent)} of {len(names)} objects, such as {min(absent)}; run 'dvc push'"
            )

    def close(self) -> None:
        """Close the repositories that were opened for imports."""
        for each in self._others:
            each.close()

    def remotes(self) -> list[Remote]:
        """Return the remotes that were looked at."""
        return [found[0] for found in self._remotes.values() if found]

    def _part(self, tracked: Tracked, output: Output, files: list[Content]) -> Found:
        path = tracked.path
        inside = [each for each in files if each.path == path or each.path.startswith(path + "/")]
        if not inside:
            raise SourceError(
                f"{output.path!r} has no {tracked.inner!r} at commit {self._repository.commit[:12]}"
            )
        if inside[0].path == path:
            md5 = inside[0].md5
        else:
            md5 = listing_md5((each.path[len(path) + 1 :], each.md5 or "") for each in inside)
        return Found(files=tuple(inside), md5=md5)

    def _git(self, files: Iterable[GitFile]) -> Iterable[Content]:
        for each in files:
            if each.is_link:
                raise SourceError(f"{each.path!r} is a link that git keeps; name what it points to")
            if not is_inside(each.path):
                raise SourceError(f"git keeps {each.path!r}, which is no path of a kit")
            if self._repository.is_clone:
                self._repository.read_git(each.path)
            yield Content(
                path=each.path,
                md5=None,
                size=each.size,
                is_executable=each.is_executable,
                git=each,
                repository=self._repository,
            )

    def _output_files(self, output: Output) -> list[Content]:
        if output.files:
            return self._versioned(output)
        if output.md5 is None and output.imported is None:
            raise SourceError(
                f"nobody has made {output.path!r} at commit {self._repository.commit[:12]}:"
                f" {output.file!r} tells no md5; run 'dvc repro' or 'dvc update' and commit"
            )
        if self._fill_cache and output.is_folder and not self._is_cached(output):
            self._repository.fill_cache([output.path])
        rows = self._rows(output)
        if rows is None:
            return self._imported(output, None)
        found, missing = self._on_disk(output, rows)
        if missing and self._fill_cache:
            self._repository.fill_cache([output.path])
            found, missing = self._on_disk(output, rows)
        if missing and output.imported:
            return found + self._imported(output, missing)
        if missing:
            found += self._in_remote(output, missing)
        return found

    def _is_cached(self, output: Output) -> bool:
        cache = self._repository.cache_folder(output.hash_name)
        return bool(output.md5 and cache and os.path.isfile(_object_path(cache, output.md5)))

    def _rows(self, output: Output) -> list[tuple[str, str]] | None:
        """Return (path inside the output, md5); None if the listing is to come from an import."""
        name = output.md5
        if name is None:
            return None
        if not name.endswith(".dir"):
            if not MD5.match(name):
                raise SourceError(f"{output.file!r} names {output.path!r} {name!r}: no md5")
            return [("", name)]
        if not MD5.match(name[:-4]):
            raise SourceError(f"{output.file!r} names {output.path!r} {name!r}: no md5")
        raw = self._read_object(output, name)
        if raw is None:
            if output.imported:
                return None
            raise self._missing(output, [(output.path, name)])
        return read_listing(raw, name, repr(output.path))

    def _read_object(self, output: Output, name: str) -> bytes | None:
        for folder in self._folders(output):
            try:
                with open(_object_path(folder, name), "rb") as file:
                    return file.read()
            except FileNotFoundError:
                continue
        found = None if output.imported else self._remote(output)
        if found is None or found[0].is_local:
            return None
        remote, fetcher = found
        address = _object_path(remote.folder(output.hash_name), name)
        try:
            return fetcher.fetch(address, None, None).result()
        except FileNotFoundError:
            return None
        except Exception as cause:
            raise _unreachable(remote, cause) from cause

    def _on_disk(
        self, output: Output, rows: list[tuple[str, str]]
    ) -> tuple[list[Content], list[tuple[str, str]]]:
        """Return what lies in the cache or in a remote on this disk, and what does not."""
        found: list[Content] = []
        left = rows
        legacy = is_legacy(output.hash_name)
        lstat, is_regular, top = os.lstat, stat.S_ISREG, output.path
        for folder in self._folders(output):
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

    def _in_remote(self, output: Output, missing: list[tuple[str, str]]) -> list[Content]:
        found = self._remote(output)
        if found is None or found[0].is_local or found[0].is_versioned:
            raise self._missing(output, missing)
        remote, fetcher = found
        folder = remote.folder(output.hash_name)
        names = {md5 for _, md5 in missing}
        try:
            sizes = find_sizes(remote, fetcher, folder, names)
        except Exception as cause:
            raise _unreachable(remote, cause) from cause
        absent = [(inner, md5) for inner, md5 in missing if md5 not in sizes]
        if absent:
            raise self._missing(output, absent)
        return [
            Content(
                path=f"{output.path}/{inner}" if inner else output.path,
                md5=md5,
                size=sizes[md5],
                is_legacy=is_legacy(output.hash_name),
                is_executable=output.is_executable and not inner,
                remote=_object_path(folder, md5),
                fetcher=fetcher,
            )
            for inner, md5 in missing
        ]

    def _versioned(self, output: Output) -> list[Content]:
        files = {each.path: each for each in output.files}
        rows = [(path, each.md5) for path, each in files.items()]
        what = repr(output.path)
        if list(files) != [""]:
            check_names([(path, md5 or EMPTY) for path, md5 in rows], what)
        known = [(path, md5) for path, md5 in rows if md5]
        found, missing = self._on_disk(output, known)
        left = {path for path, _ in missing} | {path for path, md5 in rows if not md5}
        if not left:
            return found
        remote = self._remote(output)
        if remote is None or not remote[0].is_versioned or remote[0].is_local:
            raise self._missing(output, [(path, files[path].md5 or "") for path in sorted(left)])
        for path in sorted(left):
            each = files[path]
            if each.size is None or each.size < 0:
                raise SourceError(f"{output.file!r} tells no size of {path!r} in {what}")
            if not each.md5 and not each.version:
                raise SourceError(f"{output.file!r} tells no version of {path!r} in {what}")
            full = f"{output.path}/{path}" if path else output.path
            found.append(
                Content(
                    path=full,
                    md5=each.md5,
                    size=each.size,
                    is_executable=output.is_executable and not path,
                    remote=remote[0].versioned_path(full, each.version),
                    fetcher=remote[1],
                    is_ranged=True,
                )
            )
        return found

    def _imported(self, output: Output, wanted: list[tuple[str, str]] | None) -> list[Content]:
        """Find the files of a `dvc import` where they were imported from."""
        from kitline_dvc.revision import open_elsewhere
        from kitline_dvc.selection import select

        origin = output.imported
        assert origin is not None
        if self._depth >= _DEPTH:
            raise SourceError(f"{output.path!r} is an import of an import, {_DEPTH} deep")
        opened = open_elsewhere(origin.repository, origin.commit, origin.path, self._repository)
        self._others.append(opened.repository)
        finder = ContentFinder(
            opened.repository, remote=None, fill_cache=False, depth=self._depth + 1
        )
        finder._others = self._others
        top = opened.paths[0]
        files: dict[str, Content] = {}
        for tracked in select(opened.repository, opened.paths).tracked:
            for each in finder.find(tracked).files:
                files["" if each.path == top else _below(each.path, top)] = each
        md5s = {
            inner: each.md5 or md5_of(opened.repository.read_git(each.path))
            for inner, each in files.items()
            if wanted is None or each.md5 is None
        }
        if wanted is None:
            name = md5s.get("") or listing_md5(md5s.items())
            if output.md5 is not None and name != output.md5:
                raise SourceError(
                    f"{output.path!r} was imported from {origin.path!r} of another repository,"
                    f" which now has md5 {name}, not {output.md5}; run 'dvc update'"
                )
            wanted = list(md5s.items())
        result = []
        for inner, md5 in wanted:
            each_found = files.get(inner)
            if each_found is None or (each_found.md5 or md5s.get(inner)) != md5:
                raise self._missing(output, [(inner, md5)])
            path = f"{output.path}/{inner}" if inner else output.path
            executable = output.is_executable and not inner
            result.append(replace(each_found, path=path, md5=md5, is_executable=executable))
        return result

    def _folders(self, output: Output) -> list[str]:
        found = []
        cache = self._repository.cache_folder(output.hash_name)
        if cache is not None:
            found.append(cache)
        if not output.imported:
            remote = self._remote(output)
            if remote and remote[0].is_local and not remote[0].is_versioned:
                found.append(remote[0].folder(output.hash_name))
        return found

    def _remote(self, output: Output) -> tuple[Remote, Fetcher] | None:
        name = self._remote_name or output.remote
        if name not in self._remotes:
            remote = self._repository.find_remote(name)
            self._remotes[name] = (remote, Fetcher(remote.fs)) if remote else None
        return self._remotes[name]

    def _missing(self, output: Output, rows: list[tuple[str, str]]) -> SourceError:
        inner, md5 = rows[0]
        path = output.path if inner in ("", output.path) else f"{output.path}/{inner}"
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        cache = self._repository.cache_folder(output.hash_name)
        remote = self._remote(output)
        places = f"the cache {cache!r}" if cache else "a cache (there is none here)"
        there = f"the remote {remote[0].name!r}" if remote else "a remote (none is configured)"
        return SourceError(
            f"{path!r} (md5 {md5}){more} is neither in {places} nor in {there};"
            " 'dvc push' where the data is, or name another remote with '-o remote='"
        )


def _object_path(folder: str, md5: str) -> str:
    return f"{folder}/{md5[:2]}/{md5[2:]}"


def _below(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path


def _unreachable(remote: Remote, cause: Exception) -> SourceError:
    from kitline.plugin import without_passwords

    if isinstance(cause, SourceError):
        return cause
    text = without_passwords(f"{type(cause).__name__}: {cause}")
    return SourceError(f"cannot read the remote {remote.name!r} at {remote.url!r}: {text}")
