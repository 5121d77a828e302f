"""Files in a bucket of S3 or its kin (R2, B2), streamed: nothing is stored on the way.

Asked for through MLflow's own client, so that its endpoint, credentials and retries hold.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, TypeAlias

from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from mlflow.store.artifact.optimized_s3_artifact_repo import OptimizedS3ArtifactRepository
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    from kitline_mlflow.remote.resuming import RemoteFile

    S3File: TypeAlias = RemoteFile[S3ArtifactRepository | OptimizedS3ArtifactRepository]

_CHANGED = ("PreconditionFailed", "412", "InvalidRange", "416")


def ask_s3(file: S3File, position: int, version: str | None) -> _S3Answer:
    """Get a file from a position on."""
    from botocore.exceptions import BotoCoreError, ClientError

    artifacts = file.artifacts
    bucket, root = artifacts.parse_s3_compliant_uri(artifacts.artifact_uri)  # type: ignore[no-untyped-call] # MLflow
    asked = {"Bucket": bucket, "Key": posixpath.join(root, file.path)}
    asked |= getattr(artifacts, "_bucket_owner_params", {})  # not in each release
    if position:
        asked["Range"] = f"bytes={position}-"
    if version is not None:
        asked["IfMatch"] = version
    try:
        client: Any = artifacts._get_s3_client()  # type: ignore[no-untyped-call] # MLflow
        found = client.get_object(**asked)
    except ClientError as cause:
        code = cause.response.get("Error", {}).get("Code")
        raise file.unreadable(CHANGED if code in _CHANGED else cause) from cause
    except (BotoCoreError, OSError) as cause:
        raise file.unreadable(cause) from cause
    answer = _S3Answer(found, file)
    if position and not answer.starts_at(position):
        answer.close()
        raise file.unreadable(f"bytes from {position} on were not given")
    return answer


class _S3Answer:
    def __init__(self, found: dict[str, Any], file: S3File) -> None:
        self._body = found["Body"]
        self._file = file
        self._range = str(found.get("ContentRange", ""))
        self.version: str | None = found.get("ETag")

    def starts_at(self, position: int) -> bool:
        return self._range.startswith(f"bytes {position}-")

    def readinto(self, buffer: memoryview, /) -> int | None:
        from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError
        from urllib3.exceptions import HTTPError

        try:
            return int(self._body.readinto(buffer))
        except FlexibleChecksumError as cause:
            raise self._file.unreadable(cause) from cause
        except (HTTPClientError, IncompleteReadError, HTTPError, OSError):
            return None

    def close(self) -> None:
        self._body.close()
