"""Files in a bucket of Google Cloud Storage, streamed: a few megabytes at a time, none on disk.

Asked for through MLflow's own client, which tries again by itself; all pieces of a file are of the
generation that was there first.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile

_PIECE = 8 << 20
"""Bytes that are asked for at once, and kept in memory."""


def ask_google(
    file: RemoteFile[GCSArtifactRepository], position: int, version: str | None
) -> _GoogleAnswer:
    """Get a file from a position on."""
    del version  # the client goes on by itself, so nobody asks twice
    artifacts = file.artifacts
    bucket, root = artifacts.parse_gcs_uri(artifacts.artifact_uri)  # type: ignore[no-untyped-call] # MLflow
    client: Any = artifacts.client
    name = posixpath.join(root, file.path)
    found = _called(file, lambda: client.bucket(bucket).get_blob(name))
    if found is None:
        raise file.unreadable("it is not there")
    return _GoogleAnswer(found, position, file)


class _GoogleAnswer:
    def __init__(self, blob: Any, position: int, file: RemoteFile[GCSArtifactRepository]) -> None:
        self._file = file
        self.version = str(blob.generation)
        self._reader = blob.open("rb", chunk_size=_PIECE, raw_download=True)
        self._reader.seek(position)
        self._left = int(blob.size) - position

    def readinto(self, buffer: memoryview, /) -> int:
        if self._left <= 0:  # the client would ask once more to find that out
            return 0
        count = int(_called(self._file, lambda: self._reader.readinto(buffer)))
        self._left -= count
        return count

    def close(self) -> None:
        self._reader.close()


def _called(file: RemoteFile[GCSArtifactRepository], call: Callable[[], Any]) -> Any:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    try:
        return call()
    except NotFound as cause:  # this generation
        raise file.unreadable(CHANGED) from cause
    except (GoogleAPIError, GoogleAuthError, OSError) as cause:
        raise file.unreadable(cause) from cause
