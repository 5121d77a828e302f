"""The ingest folder of a layout: where blobs grow until they are whole.

A file here is locked (`flock`) while a process writes it, so that it can be told from what a dead
process left. A blob whose digest is known grows under that name, and a later attempt goes on
where the last one stopped.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import DigestMismatch, SizeMismatch
from kitline.oci.digest import Digest, Hasher
from kitline.store.durable import ALIGNMENT, FileWriter, sync_data
from kitline.store.file_lock import is_still, open_locked, try_lock
from kitline.store.pipeline import Pipeline, fill, read_all
from kitline.store.source import FileStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.store.interface import BlobSource, ByteStream
    from kitline.store.progress import ProgressTask

BLOCK_SIZE = 2 << 20
"""Smaller than the pipeline's default, since several blobs are taken in side by side."""
SMALL = 256 << 10
"""Blobs up to this size in bytes are taken in without threads."""
_PATIENCE = 5.0
"""Seconds without growth after which another process's partial is no longer waited for."""


@dataclass(kw_only=True)
class IngestFile:
    """An open, locked file in the ingest folder."""

    path: Path
    fd: int
    keeps_partial: bool

    def close(self) -> None:
        """Unlock the file, and keep it only if a later attempt can go on with it."""
        try:
            if not (self.keeps_partial and os.fstat(self.fd).st_size >= SMALL):
                with contextlib.suppress(FileNotFoundError):
                    self.path.unlink()
        finally:
            os.close(self.fd)

    def move_to(self, final: Path) -> None:
        """Put the content on the disk, then give it its final name; equal bytes may be there."""
        sync_data(self.fd)
        os.rename(self.path, final)
        self.keeps_partial = True  # the name is gone: there is nothing to remove
        os.fchmod(self.fd, os.fstat(self.fd).st_mode & 0o444)


def open_ingest(folder: Path, digest: Digest | None) -> IngestFile:
    """Open a file to grow a blob in; the partial of its digest, unless another process has it."""
    if digest is not None:
        found = _wait_for_partial(folder / f"{digest.algorithm}-{digest.hex}.partial")
        if found is not None:
            return found
    while True:
        path = folder / f"blob.{os.getpid()}.{secrets.token_hex(8)}"
        found = _open_file(path, os.O_CREAT | os.O_EXCL)
        if found is not None:
            found.keeps_partial = False
            return found


def _wait_for_partial(path: Path) -> IngestFile | None:
    """Open the partial; while another process lets it grow, wait instead of fetching twice."""
    size, since = -1, time.monotonic()
    while (found := _open_file(path, os.O_CREAT)) is None:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size != size:
                size, since = path.stat().st_size, time.monotonic()
        if time.monotonic() - since > _PATIENCE:
            return None
        time.sleep(0.02)
    return found


def _open_file(path: Path, flags: int) -> IngestFile | None:
    """Open and lock without waiting; None if it is locked, or was moved away meanwhile."""
    fd = open_locked(path, flags, 0o644)
    return None if fd is None else IngestFile(path=path, fd=fd, keeps_partial=True)


def write_blob(
    file: IngestFile, source: BlobSource, digest: Digest | None, what: str, task: ProgressTask
) -> Digest:
    """Write the bytes of `source` into `file` and return their digest; hash in the same pass.

    What an earlier attempt left is hashed and kept; if it turns out wrong, all is read anew.

    Raises:
        SizeMismatch: if the source has more or fewer bytes than it said.
        DigestMismatch: if `digest` is given and the bytes differ.
    """
    prefix = _usable_prefix(file, source.size)
    found = _write_from(file, prefix, source, digest, what, task)
    if digest is not None and found != digest and prefix:
        found = _write_from(file, 0, source, digest, what, task)
    if digest is not None and found != digest:
        file.keeps_partial = False
        raise DigestMismatch(what, expected=str(digest), actual=str(found))
    return found


def _usable_prefix(file: IngestFile, size: int) -> int:
    held = os.fstat(file.fd).st_size
    if held > size or size <= SMALL:
        return 0
    return held if held == size else held - held % ALIGNMENT


def _write_from(
    file: IngestFile,
    prefix: int,
    source: BlobSource,
    digest: Digest | None,
    what: str,
    task: ProgressTask,
) -> Digest:
    hasher = Hasher(digest.algorithm if digest else "sha256")
    writer = FileWriter(file.fd, size=source.size, offset=prefix)
    if source.size <= SMALL:
        _write_small(source, writer, hasher, task)
    else:
        _write_large(file, source, writer, hasher, prefix, task)
    writer.finish()
    if hasher.size != source.size:
        is_more = hasher.size > source.size
        file.keeps_partial &= not is_more  # fewer: a later attempt can go on at the end
        more = " or more" if is_more else ""
        raise SizeMismatch(what, expected=source.size, actual=f"{hasher.size}{more}")
    return hasher.digest()


def _write_small(
    source: BlobSource, writer: FileWriter, hasher: Hasher, task: ProgressTask
) -> None:
    with source.open() as stream:
        data = read_all(stream, source.size)
    hasher.update(data)
    writer.write(memoryview(data))
    task.advance(len(data))


def _write_large(
    file: IngestFile,
    source: BlobSource,
    writer: FileWriter,
    hasher: Hasher,
    prefix: int,
    task: ProgressTask,
) -> None:
    with Pipeline(workers=2, block_size=BLOCK_SIZE) as pipeline, _kept_going(pipeline):
        for count in _fill_blocks(pipeline, FileStream(file.fd), prefix):
            pipeline.submit(count, hasher.update, None)
            task.advance(count)
        with source.open(prefix) as stream:
            # one byte more than there should be, so that too much is seen
            for count in _fill_blocks(pipeline, stream, source.size - prefix + 1):
                pipeline.submit(count, hasher.update, writer.write)
                task.advance(count)


@contextlib.contextmanager
def _kept_going(pipeline: Pipeline) -> Iterator[None]:
    """Let what was read be written even if reading fails, so that the partial is worth keeping."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            pipeline.finish()
        raise
    pipeline.finish()


def _fill_blocks(pipeline: Pipeline, stream: ByteStream, limit: int) -> Iterator[int]:
    """Fill one buffer after the other with at most `limit` bytes in all; yield how many."""
    while limit > 0:
        buffer = pipeline.buffer()
        count = fill(stream, buffer[: min(limit, len(buffer))])
        if not count:
            return
        limit -= count
        yield count


class Lease:
    """Tells clean-up that a process is taking blobs in, so that they are not garbage yet."""

    def __init__(self, folder: Path) -> None:
        found = None
        while found is None:
            path = folder / f"lease.{os.getpid()}.{secrets.token_hex(8)}"
            found = _open_file(path, os.O_CREAT | os.O_EXCL)
        found.keeps_partial = False
        self._file = found
        self.since = os.fstat(found.fd).st_ctime_ns

    def close(self) -> None:
        """Give up the lease."""
        self._file.close()


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What was found in an ingest folder."""

    live_since: int | None
    """When the oldest process that is taking blobs in began, in ns; None if there is none."""
    removed: int
    removed_bytes: int


def prune_ingest(folder: Path, *, older_than: float) -> Leftovers:
    """Remove what dead processes left `older_than` seconds ago or longer; live files stay."""
    live: list[int] = []
    removed = removed_bytes = 0
    now = time.time_ns()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue  # gone meanwhile, or nothing that we made
        try:
            status = os.fstat(fd)
            if not try_lock(fd):
                if path.name.startswith("lease."):
                    live.append(status.st_ctime_ns)
            elif now - status.st_mtime_ns >= older_than * 1e9 and is_still(path, fd):
                path.unlink()
                removed, removed_bytes = removed + 1, removed_bytes + status.st_size
        finally:
            os.close(fd)
    return Leftovers(
        live_since=min(live, default=None), removed=removed, removed_bytes=removed_bytes
    )
