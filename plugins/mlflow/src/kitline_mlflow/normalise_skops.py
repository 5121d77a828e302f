"""skops files made equal: their names and ids are memory addresses, their dates those of the clock.

Members and ids are numbered in the order in which the schema comes to them. Whoever loads the file
sees the same objects. Tried with skops 0.11 to 0.14 (protocol 2).
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import weakref
import zipfile
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import Entry

if TYPE_CHECKING:
    from kitline.plugin import ByteStream

_SCHEMA = "schema.json"
_SCHEMA_LIMIT = 256 << 20
_CHUNK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
_MEMBERS = 1_000_000


def normalise_skops(entry: Entry) -> Entry:
    """Return a skops file with numbered members; it is kept in a file without a name.

    Raises:
        SourceError: if it is no skops file.
    """
    if entry.open is None:
        return entry
    try:
        with _copy(entry) as given, zipfile.ZipFile(given) as archive:
            written = _rewrite(archive)
    except (zipfile.BadZipFile, ValueError, KeyError, RecursionError, NotImplementedError) as cause:
        raise SourceError(f"cannot normalise {entry.path!r}: {cause}") from cause
    return Entry(path=entry.path, size=written.size, open=written.open)


def _copy(entry: Entry) -> IO[bytes]:
    copied = tempfile.TemporaryFile()  # noqa: SIM115  returned
    buffer = memoryview(bytearray(_CHUNK))
    assert entry.open is not None
    with entry.open(0) as stream:
        while count := stream.readinto(buffer):
            copied.write(buffer[:count])
    copied.seek(0)
    return copied


def _rewrite(archive: zipfile.ZipFile) -> _Written:
    members = {each.filename: each for each in archive.infolist()}
    if len(members) > _MEMBERS or members[_SCHEMA].file_size > _SCHEMA_LIMIT:
        raise ValueError("its schema or its number of members is absurd")
    schema = json.loads(archive.read(_SCHEMA))
    names: dict[str, str] = {}
    ids: dict[int, int] = {}
    renamed = _numbered(schema, frozenset(members), names, ids)
    for name in sorted(members.keys() - names.keys() - {_SCHEMA}):
        names[name] = name  # nothing refers to it
    with tempfile.TemporaryFile() as result:
        with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as new:
            for old, name in sorted(names.items(), key=lambda pair: pair[1]):
                _copy_member(archive, old, new, name)
            text = json.dumps(renamed, sort_keys=True, indent=2).encode()
            new.writestr(_member(_SCHEMA), text)
        return _Written(result)


def _copy_member(archive: zipfile.ZipFile, old: str, new: zipfile.ZipFile, name: str) -> None:
    with archive.open(old) as source, new.open(_member(name), "w", force_zip64=True) as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)


def _numbered(
    value: Any, members: frozenset[str], names: dict[str, str], ids: dict[int, int]
) -> Any:
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key in sorted(value):
            each = value[key]
            if key == "__id__" and isinstance(each, int):
                found[key] = ids.setdefault(each, len(ids))
            elif key == "file" and isinstance(each, str) and each in members:
                suffix = PurePosixPath(each).suffix
                found[key] = names.setdefault(each, f"{len(names):08d}{suffix}")
            else:
                found[key] = _numbered(each, members, names, ids)
        return found
    if isinstance(value, list):
        return [_numbered(each, members, names, ids) for each in value]
    return value


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _DATE)
    member.compress_type = zipfile.ZIP_STORED
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member


class _Written:
    """A file without a name; it goes with the last entry or stream that reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        file.flush()
        self.size = file.seek(0, os.SEEK_END)
        self.fd = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.fd)

    def open(self, offset: int) -> ByteStream:
        return _Reader(self, offset)


class _Reader(io.RawIOBase):
    """Reads a shared file from a place of its own, so that several may read at once."""

    def __init__(self, written: _Written, offset: int) -> None:
        self._written = written
        self._offset = offset

    def readinto(self, buffer: Any, /) -> int:
        count = os.preadv(self._written.fd, [buffer], self._offset)
        self._offset += count
        return count
