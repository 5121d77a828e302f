"""Raw layers: the blob is the file itself, described by annotations.

Source: measured from kit 1.15.0; ModelPack specification, `org.cncf.model.file.metadata+json`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from kitline.errors import SourceChanged, SourceError
from kitline.kit.layer import check_unchanged
from kitline.oci.digest import Hasher
from kitline.oci.json import encode
from kitline.store.closing import Closing

if TYPE_CHECKING:
    from kitline.kit.tree import Entry, Fingerprint
    from kitline.store.interface import ByteStream

_TYPE_FILE = 48
"""The character code of `0`, as kit writes it."""


class RawLayer:
    """The bytes of one file; a BlobSource.

    Raises:
        SourceError: if the entry is a folder or has no size.
    """

    def __init__(self, entry: Entry) -> None:
        if entry.is_folder or entry.open is None:
            raise SourceError(
                f"cannot make a raw layer of {entry.path!r}: it is not a file; use a tar layer"
            )
        if entry.size is None:
            raise SourceError(f"cannot plan a layer: the size of {entry.path!r} is not known")
        self.entry = entry
        self.size = entry.size

    @cached_property
    def _before(self) -> Fingerprint | None:
        return self.entry.listed or self.entry.fingerprint()

    @property
    def identity(self) -> str | None:
        """A text that stays equal while the file does, or None if that cannot be told."""
        if self._before is None:
            return None
        hasher = Hasher()
        hasher.update(encode([self.entry.path, self.size, list(self._before)]))
        return f"raw-1/{hasher.digest()}"

    def open(self, offset: int = 0) -> ByteStream:
        """Start reading the file at `offset` bytes."""
        return _RawStream(self.entry, self._before, offset)


class _RawStream(Closing):
    """Reads exactly the planned bytes and then looks whether the file has changed."""

    def __init__(self, entry: Entry, before: Fingerprint | None, offset: int) -> None:
        assert entry.open is not None
        self._entry = entry
        self._before = before
        self._left = (entry.size or 0) - offset
        self._content = entry.open(offset)

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._left or not len(buffer):
            return 0
        count = self._content.readinto(buffer[: self._left])
        if not count:
            raise SourceChanged(
                f"cannot pack {self._entry.path!r}: the file is shorter than it was; "
                "pack again when nothing writes to it"
            )
        self._left -= count
        if not self._left:
            check_unchanged(self._entry, self._before, self._content)
        return count

    def close(self) -> None:
        self._content.close()


def file_metadata(entry: Entry, *, keep_mtime: bool = False) -> str:
    """Return the JSON text for the metadata annotation of a raw layer.

    The time is 1970 unless `keep_mtime`, because it would otherwise change the kit's digest.
    """
    fields = {
        "name": entry.path.rpartition("/")[2],
        "mode": entry.mode & 0o777,
        "uid": 0,
        "gid": 0,
        "size": entry.size,
        "mtime": _rfc3339(entry.mtime_ns if keep_mtime else 0),
        "typeflag": _TYPE_FILE,
    }
    return encode(fields).decode()


def _rfc3339(nanoseconds: int) -> str:
    """UTC as Go prints it: a fraction only if there is one, without final zeros."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"
