"""Files in HDFS, streamed: nothing is stored on the way."""

from __future__ import annotations

import posixpath
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.store.artifact.hdfs_artifact_repo import HdfsArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile


def ask_hdfs(
    file: RemoteFile[HdfsArtifactRepository], position: int, version: str | None
) -> _HdfsAnswer:
    """Get a file from a position on."""
    del version  # of no use before the answer
    from mlflow.store.artifact.hdfs_artifact_repo import hdfs_system

    artifacts = file.artifacts
    name = posixpath.join(artifacts.path, file.path)
    try:
        with ExitStack() as stack:
            system = hdfs_system(artifacts.scheme, artifacts.host, artifacts.port)
            hdfs: Any = stack.enter_context(system)
            state = _state(hdfs, name)
            opened = stack.enter_context(hdfs.open_input_file(name))
            opened.seek(position)

            def see_end() -> None:
                if _state(hdfs, name) != state:
                    raise file.unreadable(CHANGED)

            return _HdfsAnswer(opened, see_end, state, stack.pop_all())
    except OSError as cause:
        raise file.unreadable(cause) from cause


class _HdfsAnswer:
    def __init__(
        self, opened: Any, see_end: Callable[[], None], version: str, stack: ExitStack
    ) -> None:
        self.version: str | None = version
        self._opened = opened
        self._see_end = see_end
        self._stack = stack

    def readinto(self, buffer: memoryview, /) -> int | None:
        try:
            count = int(self._opened.readinto(buffer))
            if not count:
                self._see_end()
            return count
        except OSError:
            return None

    def close(self) -> None:
        with suppress(OSError):  # a dead line cannot be closed politely
            self._stack.close()


def _state(hdfs: Any, name: str) -> str:
    found = hdfs.get_file_info(name)
    return f"{found.mtime_ns}-{found.size}"
