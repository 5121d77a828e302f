"""Downloads: for stores that MLflow cannot stream from, one file at a time, without a name.

MLflow reads Azure, HDFS, SFTP and their kin only into files. Such a file lives as long as it is
being read: it loses its name as soon as it is complete. Its folder is locked by its process;
a kill leaves it behind, and the next import removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_mlflow.local_files import open_local
from kitline_mlflow.redact import Redactor

if TYPE_CHECKING:
    from kitline.plugin import ByteStream
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

PREFIX = "kitline-mlflow-"
_NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}\Z")
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MINUTE = 60.0


class Downloads:
    """Opens files of an artifact folder by downloading them."""

    def __init__(self, artifacts: ArtifactRepository) -> None:
        remove_dead_folders()
        self._artifacts = artifacts

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Download a file and open it at `offset`; it is gone once the stream is closed."""
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        fd = os.open(folder, _FLAGS)
        try:
            _lock(fd)
            local = folder / "file"
            self._download(path, local)
            if size is not None and (found := local.stat().st_size) != size:
                raise SourceError(f"the server lists {path!r} with {size} bytes and sent {found}")
            return open_local(local, offset)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(fd)

    def _download(self, path: str, local: Path) -> None:
        try:
            self._artifacts._download_file(path, str(local))  # type: ignore[no-untyped-call] # MLflow
        except Exception as cause:  # whatever the store's own client raises
            reason = Redactor().text(" ".join(str(cause).split()))
            raise SourceError(f"cannot download {path!r}: {reason}") from cause


def remove_dead_folders() -> None:
    """Remove the folders of downloads that killed processes of this user left."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.match(entry.name):
                _remove_if_dead(Path(entry.path))


def _remove_if_dead(folder: Path) -> None:
    young = time.time() - _MINUTE  # may just be between being made and being locked
    with contextlib.suppress(OSError):
        fd = os.open(folder, _FLAGS)
        try:
            status = os.fstat(fd)
            is_old_and_ours = status.st_uid == os.geteuid() and status.st_mtime < young
            if is_old_and_ours and _lock(fd):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(fd)


def _lock(fd: int) -> bool:
    """Lock a folder until it is closed; False if it is in use, or cannot be locked at all."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
