"""Files in a bucket of Google Cloud Storage, streamed: a few megabytes at a time, none on disk.

Asked for through MLflow's own client, which tries again by itself; all pieces of a file are of the
generation that was there first.
"""

from __future__ import annotations

import posixpath
from functools import partial
from typing import TYPE_CHECKING, Any

from kitline_mlflow.redact import Redactor, clean_address
from kitline_mlflow.resuming import CHANGED, ResumingStream, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.errors import SourceError
    from kitline.plugin import ByteStream
    from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository

_PIECE = 8 << 20
"""Bytes that are asked for at once, and kept in memory."""


class GoogleFiles:
    """Opens files of an artifact folder in a bucket."""

    def __init__(self, artifacts: GCSArtifactRepository) -> None:
        self._artifacts = artifacts
        self._place = clean_address(str(artifacts.artifact_uri))

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Open a file at `offset` bytes; reading checks that as much comes as was listed."""
        ask = partial(self._ask, path)
        return ResumingStream(ask, path=path, place=self._place, size=size, offset=offset)

    def _ask(self, path: str, position: int, version: str | None) -> _GoogleAnswer:
        del version  # the client goes on by itself, so nobody asks twice
        bucket, root = self._artifacts.parse_gcs_uri(self._artifacts.artifact_uri)  # type: ignore[no-untyped-call] # MLflow
        failed = partial(unreadable, path, self._place)
        client: Any = self._artifacts.client
        found = _called(failed, lambda: client.bucket(bucket).get_blob(posixpath.join(root, path)))
        if found is None:
            raise failed("it is not there")
        return _GoogleAnswer(found, position, failed)


class _GoogleAnswer:
    def __init__(self, blob: Any, position: int, failed: Callable[[str], SourceError]) -> None:
        self._failed = failed
        self.version = str(blob.generation)
        self._reader = blob.open("rb", chunk_size=_PIECE, raw_download=True)
        self._reader.seek(position)
        self._left = int(blob.size) - position

    def readinto(self, buffer: memoryview, /) -> int:
        if self._left <= 0:  # the client would ask once more to find that out
            return 0
        count = int(_called(self._failed, lambda: self._reader.readinto(buffer)))
        self._left -= count
        return count

    def close(self) -> None:
        self._reader.close()


def _called(failed: Callable[[str], SourceError], call: Callable[[], Any]) -> Any:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    try:
        return call()
    except NotFound as cause:  # this generation
        raise failed(CHANGED) from cause
    except (GoogleAPIError, GoogleAuthError, OSError) as cause:
        raise failed(Redactor().text(" ".join(str(cause).split()))) from cause
