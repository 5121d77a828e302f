"""The files of a revision as entries of a kit, opened when their turn comes and checked by md5."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import Entry, bytes_entry

from kitline_dvc.md5 import EMPTY, CheckedStream, LocalStream
from kitline_dvc.read_ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kitline.plugin import ByteStream, Fingerprint

    from kitline_dvc.content import Content

_FILE_MODE, _EXECUTABLE_MODE, _FOLDER_MODE = 0o644, 0o755, 0o755


def walk_order(path: str) -> str:
    """Return what sorts paths as a walk over folders finds them, names in byte order."""
    return path.replace("/", "\0")


def file_entries(contents: Iterable[Content]) -> list[Entry]:
    """Return the files of one layer, in its order; remote ones are read ahead together."""
    ordered = sorted(contents, key=lambda each: walk_order(each.path))
    ahead = _read_ahead(ordered)
    return [_entry(each, ahead.get(each.path)) for each in ordered]


def with_folders(files: Iterable[Entry]) -> list[Entry]:
    """Return files in walk order with the folders that lead to them in front of their content.

    Raises:
        SourceError: if a path is that of a file and of a folder.
    """
    found: list[Entry] = []
    present = {""}
    names: set[str] = set()
    for entry in files:
        folder = entry.path.rpartition("/")[0]
        if folder not in present:
            _add_folders(found, present, folder)
        found.append(entry)
        names.add(entry.path)
    both = names & present
    if both:
        raise SourceError(f"{min(both)!r} is listed as a file and as a folder")
    return found


def _add_folders(found: list[Entry], present: set[str], folder: str) -> None:
    missing = []
    while folder not in present:
        missing.append(folder)
        present.add(folder)
        folder = folder.rpartition("/")[0]
    found += [Entry(path=each, is_folder=True, mode=_FOLDER_MODE) for each in reversed(missing)]


def _read_ahead(ordered: list[Content]) -> dict[str, Callable[[], ByteStream]]:
    """Return how to begin reading each remote file, by path in the kit."""
    remote = [each for each in ordered if each.remote is not None]
    if not remote:
        return {}
    result: dict[str, Callable[[], ByteStream]] = {}
    for fetcher in {each.fetcher for each in remote}:
        mine = [each for each in remote if each.fetcher is fetcher]
        assert fetcher is not None
        ahead = ReadAhead(
            fetcher,
            [(each.remote or "", each.size) for each in mine],
            ranged=any(each.is_ranged for each in mine),
        )
        result |= {each.path: partial(ahead.open, index) for index, each in enumerate(mine)}
    return result


def _entry(content: Content, begin: Callable[[], ByteStream] | None) -> Entry:
    mark = _mark(content)
    return Entry(
        path=content.path,
        mode=_EXECUTABLE_MODE if content.is_executable else _FILE_MODE,
        size=content.size,
        open=partial(_open, content, begin),
        fingerprint=partial(_same, mark),
    )


def _mark(content: Content) -> Fingerprint | None:
    """Return what names the content: DVC's md5 or git's digest; DVC 2's md5 does not quite."""
    if content.md5 is not None:
        if content.size == 0 and content.md5 != EMPTY:
            raise _damaged(content, f"it is empty, and its md5 is {content.md5}")
        return None if content.is_legacy else ("dvc-md5", content.md5)
    if content.git is not None and content.git.digest:
        return ("git", content.git.digest)
    return None


def _same(mark: Fingerprint | None) -> Fingerprint | None:
    return mark


def _open(content: Content, begin: Callable[[], ByteStream] | None, offset: int) -> ByteStream:
    stream: ByteStream
    if content.local is not None:
        stream = _open_local(content, content.local)
    elif begin is not None:
        stream = begin()
    else:
        stream = _open_git(content)
    if content.md5 is None:
        _skip(stream, offset)
        return stream
    checked = CheckedStream(
        stream, content.md5, content.size, partial(_damaged, content), legacy=content.is_legacy
    )
    if offset:
        checked.skip(offset)
    return checked


def _open_local(content: Content, path: str) -> ByteStream:
    try:
        return LocalStream(path)
    except OSError as cause:
        raise SourceError(
            f"cannot read {content.path!r} from {path!r}: {cause.strerror}; run 'dvc fetch'"
        ) from cause


def _open_git(content: Content) -> ByteStream:
    assert content.repository is not None
    assert content.git is not None
    raw = content.repository.read_git(content.git.path)
    opened = bytes_entry(content.path, raw).open
    assert opened is not None
    return opened(0)


def _skip(stream: ByteStream, count: int) -> None:
    scratch = memoryview(bytearray(min(count, 1 << 20)))
    while count:
        done = stream.readinto(scratch[:count])
        if not done:
            return
        count -= done


def _damaged(content: Content, found: str) -> SourceError:
    remedy = (
        "'dvc push' it again where it is whole"
        if content.local is None
        else f"remove {content.local!r} and run 'dvc fetch'"
    )
    return SourceError(f"{content.path!r} is damaged: {found}; {remedy}")
