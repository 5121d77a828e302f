"""Files on an FTP server, streamed: nothing is stored on the way."""

from __future__ import annotations

import ftplib
import posixpath
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from mlflow.store.artifact.ftp_artifact_repo import FTPArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile

_TIMEOUT = 120.0


def ask_ftp(
    file: RemoteFile[FTPArtifactRepository], position: int, version: str | None
) -> _FtpAnswer:
    """Get a file from a position on."""
    del version  # of no use before the answer
    name = posixpath.join(file.artifacts.path, file.path)
    try:
        with ExitStack() as stack:
            ftp: Any = stack.enter_context(file.artifacts.get_ftp_client())
            stack.callback(ftp.close)
            ftp.sock.settimeout(_TIMEOUT)
            ftp.voidcmd("TYPE I")
            state = _state(ftp, name)
            line = stack.enter_context(ftp.transfercmd(f"RETR {name}", position or None))
            line.settimeout(_TIMEOUT)

            def see_end() -> None:
                ftp.voidresp()
                if _state(ftp, name) != state:  # the server shows what is written meanwhile
                    raise file.unreadable(CHANGED)

            return _FtpAnswer(line, see_end, state, stack.pop_all())
    except (
        ftplib.Error,
        OSError,
        EOFError,
        ValueError,
    ) as cause:  # ValueError: a line break in the name
        raise file.unreadable(cause) from cause


class _FtpAnswer:
    def __init__(
        self, line: socket.socket, see_end: Callable[[], None], version: str, stack: ExitStack
    ) -> None:
        self.version: str | None = version
        self._line = line
        self._see_end = see_end
        self._stack = stack

    def readinto(self, buffer: memoryview, /) -> int | None:
        try:
            count = self._line.recv_into(buffer)
            if not count:
                self._see_end()
            return count
        except (ftplib.Error, EOFError, OSError):
            return None

    def close(self) -> None:
        with suppress(OSError):  # a dead line cannot be closed politely
            self._stack.close()


def _state(ftp: ftplib.FTP, name: str) -> str:
    """Return size and time of the last change, which not each server tells."""
    size = ftp.size(name)
    try:
        return f"{size} {ftp.voidcmd(f'MDTM {name}')}"
    except ftplib.error_perm:
        return str(size)
