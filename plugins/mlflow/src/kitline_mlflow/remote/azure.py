"""Files in Azure Blob and Data Lake Storage, streamed: a few megabytes at a time, none on disk.

Asked for through MLflow's own client, which tries again by itself; all pieces of a file are of the
state that was there first.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, TypeAlias

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository
    from mlflow.store.artifact.azure_data_lake_artifact_repo import AzureDataLakeArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile

    AzureFile: TypeAlias = (
        RemoteFile[AzureBlobArtifactRepository] | RemoteFile[AzureDataLakeArtifactRepository]
    )

_PIECE = 8 << 20
"""Bytes that are asked for at once, and kept in memory."""


def ask_blob(
    file: RemoteFile[AzureBlobArtifactRepository], position: int, version: str | None
) -> _AzureAnswer:
    """Get a file in Blob Storage (`wasbs://`) from a position on."""
    del version  # the client goes on by itself, so nobody asks twice
    artifacts = file.artifacts
    container, _, root, _ = artifacts.parse_wasbs_uri(artifacts.artifact_uri)  # type: ignore[no-untyped-call] # MLflow
    client = artifacts.client.get_blob_client(container, posixpath.join(root, file.path))
    return _AzureAnswer(client.download_blob, file, position)


def ask_data_lake(
    file: RemoteFile[AzureDataLakeArtifactRepository], position: int, version: str | None
) -> _AzureAnswer:
    """Get a file in Data Lake Storage (`abfss://`) from a position on."""
    del version  # the client goes on by itself, so nobody asks twice
    artifacts = file.artifacts
    name = posixpath.join(artifacts.base_data_lake_directory, file.path)
    return _AzureAnswer(artifacts.fs_client.get_file_client(name).download_file, file, position)


class _AzureAnswer:
    """What a client's function `find(offset, length)` gives, piece by piece."""

    def __init__(self, find: Callable[..., Any], file: AzureFile, position: int) -> None:
        self._find = find
        self._file = file
        self._position = position
        self.version: str | None = None
        self._is_last = False
        self._piece = self._next_piece()

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._piece and not self._is_last:
            self._piece = self._next_piece()
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        self._piece = memoryview(b"")

    def _next_piece(self) -> memoryview:
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            piece = self._ask()
        except HttpResponseError as cause:
            if cause.status_code != 416:  # 416: the last piece ended where the file does
                reason = CHANGED if cause.status_code == 412 else _first_line(cause)
                raise self._file.unreadable(reason) from cause
            piece = b""
        except (AzureError, OSError) as cause:
            raise self._file.unreadable(_first_line(cause)) from cause
        self._position += len(piece)
        self._is_last = len(piece) < _PIECE
        return memoryview(piece)

    def _ask(self) -> bytes:
        from azure.core import MatchConditions

        same = {"etag": self.version, "match_condition": MatchConditions.IfNotModified}
        found = self._find(self._position, _PIECE, **(same if self.version else {}))
        self.version = found.properties.etag
        return bytes(found.readall())


def _first_line(cause: Exception) -> str:
    """Return what happened; the lines after it are the request's id and the answer's XML."""
    return str(cause).partition("\n")[0]
