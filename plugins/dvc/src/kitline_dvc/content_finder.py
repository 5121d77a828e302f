"""Finding content: the files of what a revision tracks, wherever each of them lies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_dvc.content import Content, Found
from kitline_dvc.listing import is_inside, listing_md5, read_listing
from kitline_dvc.md5 import MD5, md5_of
from kitline_dvc.object_places import ObjectPlaces
from kitline_dvc.versions import find_versions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.inside.repository import GitFile, Repository
    from kitline_dvc.selection import Tracked

_DEPTH = 5
"""How many imports may follow each other."""


class ContentFinder:
    """Finds the files of tracked paths in one repository."""

    def __init__(
        self, repository: Repository, *, remote: str | None, fill_cache: bool, depth: int = 0
    ) -> None:
        self._repository = repository
        self._places = ObjectPlaces(repository, remote)
        self._trusted = remote
        self._fill_cache = fill_cache
        self._depth = depth
        self._others: list[Repository] = []

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
        """See that a remote holds all of an output's files; see `ObjectPlaces`."""
        self._places.require_in_remote(output, files)

    def close(self) -> None:
        """Close the repositories that were opened for imports."""
        for each in self._others:
            each.close()

    def remotes(self) -> list[Remote]:
        """Return the remotes that were looked at."""
        return self._places.remotes()

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
            return find_versions(self._places, output)
        if output.md5 is None and output.imported is None:
            raise SourceError(
                f"nobody has made {output.path!r} at commit {self._repository.commit[:12]}:"
                f" {output.file!r} tells no md5; run 'dvc repro' or 'dvc update' and commit"
            )
        # DVC would open what a clone imports with all that its configuration says
        fill_cache = self._fill_cache and not (output.imported and self._repository.is_clone)
        if fill_cache and output.is_folder and not self._places.has_cached(output):
            self._repository.fill_cache([output.path])
        rows = self._rows(output)
        if rows is None:
            return self._imported(output, None)
        found, missing = self._places.on_disk(output, rows)
        if missing and fill_cache:
            self._repository.fill_cache([output.path])
            found, missing = self._places.on_disk(output, rows)
        if missing and output.imported:
            return found + self._imported(output, missing)
        if missing:
            found += self._places.in_remote(output, missing)
        return found

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
        raw = self._places.read_object(output, name)
        if raw is None:
            if output.imported:
                return None
            raise self._places.missing(output, [(output.path, name)])
        return read_listing(raw, name, repr(output.path))

    def _imported(self, output: Output, wanted: list[tuple[str, str]] | None) -> list[Content]:
        """Find the files of a `dvc import` where they were imported from."""
        from kitline_dvc.revision import open_elsewhere
        from kitline_dvc.selection import select

        origin = output.imported
        assert origin is not None
        if self._depth >= _DEPTH:
            raise SourceError(f"{output.path!r} is an import of an import, {_DEPTH} deep")
        opened = open_elsewhere(
            origin.repository,
            origin.commit,
            origin.path,
            self._repository,
            remote=self._trusted,
        )
        self._others.append(opened.repository)
        finder = ContentFinder(
            opened.repository, remote=None, fill_cache=False, depth=self._depth + 1
        )
        finder._trusted = self._trusted
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
                raise self._places.missing(output, [(inner, md5)])
            path = f"{output.path}/{inner}" if inner else output.path
            executable = output.is_executable and not inner
            result.append(replace(each_found, path=path, md5=md5, is_executable=executable))
        return result


def _below(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path
