"""Files in an S3 bucket, streamed: nothing is stored on the way.

Asked for through MLflow's own client, so that its endpoint, credentials and retries hold.
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
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

_CHANGED = ("PreconditionFailed", "412")


class S3Files:
    """Opens files of an artifact folder in a bucket."""

    def __init__(self, artifacts: S3ArtifactRepository) -> None:
        self._artifacts = artifacts
        self._place = clean_address(str(artifacts.artifact_uri))

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Open a file at `offset` bytes; reading checks that as much comes as was listed."""
        ask = partial(self._ask, path)
        return ResumingStream(ask, path=path, place=self._place, size=size, offset=offset)

    def _ask(self, path: str, position: int, version: str | None) -> _S3Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, root = self._artifacts.parse_s3_compliant_uri(self._artifacts.artifact_uri)  # type: ignore[no-untyped-call] # MLflow
        asked = {"Bucket": bucket, "Key": posixpath.join(root, path)}
        asked |= getattr(self._artifacts, "_bucket_owner_params", {})  # not in each release
        if position:
            asked["Range"] = f"bytes={position}-"
        if version is not None:
            asked["IfMatch"] = version
        try:
            client: Any = self._artifacts._get_s3_client()  # type: ignore[no-untyped-call] # MLflow
            found = client.get_object(**asked)
        except ClientError as cause:
            code = cause.response.get("Error", {}).get("Code")
            reason = CHANGED if code in _CHANGED else _reason(cause)
            raise unreadable(path, self._place, reason) from cause
        except (BotoCoreError, OSError) as cause:
            raise unreadable(path, self._place, _reason(cause)) from cause
        answer = _S3Answer(found, partial(unreadable, path, self._place))
        if position and not answer.starts_at(position):
            answer.close()
            raise unreadable(path, self._place, f"bytes from {position} on were not given")
        return answer


class _S3Answer:
    def __init__(self, found: dict[str, Any], failed: Callable[[str], SourceError]) -> None:
        self._body = found["Body"]
        self._failed = failed
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
            raise self._failed(_reason(cause)) from cause
        except (HTTPClientError, IncompleteReadError, HTTPError, OSError):
            return None

    def close(self) -> None:
        self._body.close()


def _reason(cause: Exception) -> str:
    return Redactor().text(" ".join(str(cause).split()))
