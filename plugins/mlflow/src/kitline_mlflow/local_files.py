"""Files of this disk as entries of a kit: no link is followed, and a change is noticed."""

from __future__ import annotations

import io
import os
import stat
from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.plugin import ByteStream, Fingerprint


def local_entry(name: str, path: Path) -> Entry:
    """Return a file as the entry `name`; it is opened when its turn comes.

    Raises:
        SourceError: if it is a link, a folder or no file at all.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{str(path)!r} is no file, or a link to one")
    return Entry(
        path=name,
        size=status.st_size,
        open=partial(open_local, path),
        fingerprint=partial(_fingerprint, path),
        mtime_ns=status.st_mtime_ns,
    )


def open_local(path: Path, offset: int) -> ByteStream:
    """Open a file at `offset`; a link is refused."""
    stream = io.FileIO(str(path), "rb", opener=_without_links)
    stream.seek(offset)
    return stream


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _fingerprint(path: Path) -> Fingerprint:
    found = path.lstat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
