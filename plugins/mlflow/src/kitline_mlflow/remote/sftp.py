"""Files on an SFTP server, streamed: a few megabytes at a time, none on disk.

Read over the connections that MLflow made; after a break, over a new one that is made like them.
"""

from __future__ import annotations

import posixpath
from contextlib import ExitStack, suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import TYPE_CHECKING, Any

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from mlflow.store.artifact.sftp_artifact_repo import SFTPArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile

_PIECE = 2 << 20  # paramiko takes longer per byte, the more requests are on their way
"""Bytes that are asked for at once, and kept in memory."""
_TIMEOUT = 120.0


def ask_sftp(
    file: RemoteFile[SFTPArtifactRepository], position: int, version: str | None
) -> _SftpAnswer:
    """Get a file from a position on."""
    broken = _broken()
    try:
        if version is None:
            try:
                return _open(file, position)
            except (FileNotFoundError, PermissionError):
                raise
            except broken:  # that connection is gone
                pass
        return _open(file, position, anew=True)
    except broken as cause:
        raise file.unreadable(cause) from cause


def _open(
    file: RemoteFile[SFTPArtifactRepository], position: int, *, anew: bool = False
) -> _SftpAnswer:
    """Open a file over one of MLflow's connections, or over one made `anew`."""
    import pysftp

    artifacts = file.artifacts
    connections: Any = artifacts.pool.get_sftp_connection
    with ExitStack() as stack:
        connection = stack.enter_context(
            pysftp.Connection(**artifacts.config) if anew else connections()
        )
        connection.timeout = _TIMEOUT
        line = connection.sftp_client.get_channel().get_transport()
        line.sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # asking takes small packets
        opened = stack.enter_context(connection.open(posixpath.join(artifacts.path, file.path)))
        left = range(position, opened.stat().st_size)
        return _SftpAnswer(file, opened, line, _state(opened), left, stack.pop_all())


def _broken() -> tuple[type[Exception], ...]:
    """Return what is raised when a line breaks, or cannot be made."""
    from paramiko import SFTPError, SSHException
    from pysftp import ConnectionException

    return (SSHException, SFTPError, ConnectionException, EOFError, OSError)


def _quiet(opened: Any) -> Any:
    """Keep the thread that asks for pieces from printing a traceback when the line breaks."""
    ask = opened._prefetch_thread

    def ask_quietly(*args: Any) -> None:
        with suppress(*_broken()):  # who waits for the pieces is told too
            ask(*args)

    opened._prefetch_thread = ask_quietly
    return opened


class _SftpAnswer:
    def __init__(
        self,
        file: RemoteFile[SFTPArtifactRepository],
        opened: Any,
        line: Any,
        version: str,
        left: range,
        stack: ExitStack,
    ) -> None:
        self._file = file
        self._opened = _quiet(opened)
        self._line = line
        self.version: str | None = version
        self._left = left
        self._piece = memoryview(b"")
        self._stack = stack

    def readinto(self, buffer: memoryview, /) -> int | None:
        try:
            if not self._piece:
                self._piece = self._next_piece()
        except _broken():
            self._line.close()  # what is still on its way would answer other questions
            return None
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        with suppress(*_broken()):  # a dead line cannot be closed politely
            self._stack.close()

    def _next_piece(self) -> memoryview:
        asked, self._left = self._left[:_PIECE], self._left[_PIECE:]
        if not asked:
            if _state(self._opened) != self.version:  # the server shows what is written meanwhile
                raise self._file.unreadable(CHANGED)
            return memoryview(b"")
        with self._opened._prefetch_lock:  # answers that came too late for the last piece
            self._opened._prefetch_data.clear()
        (piece,) = self._opened.readv([(asked.start, len(asked))])
        if len(piece) < len(asked):  # paramiko takes the end of the file for an answer
            raise EOFError
        return memoryview(piece)


def _state(opened: Any) -> str:
    found = opened.stat()
    return f"{found.st_mtime}-{found.st_size}"
