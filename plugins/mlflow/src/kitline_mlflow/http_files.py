"""Files behind an MLflow server, streamed by HTTP: nothing is stored on the way.

Requests go through MLflow's own function, so that its credentials, certificates, headers and
retries hold. A stream that breaks is asked for again from where it stood.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from kitline.errors import SourceError
from kitline.plugin import Closing

from kitline_mlflow.redact import Redactor, clean_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import ByteStream
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    from requests import Response

_LISTING = "/mlflow-artifacts/artifacts"
_ATTEMPTS = 4
_DROP = 1 << 16


def list_folder(
    artifacts: HttpArtifactRepository, path: str | None
) -> Iterator[tuple[str, bool, int | None]]:
    """Return path, whether it is a folder, and size of what a server lists in a folder.

    MLflow's own listing decodes names, so that one file takes the place of another.

    Raises:
        SourceError: if a name is one that the server could not be asked for.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.request_utils import augmented_raise_for_status
    from mlflow.utils.rest_utils import http_request

    address = str(artifacts.artifact_uri)
    where = clean_address(address)
    host, _, root = address.partition(_LISTING)
    asked = posixpath.join(root.lstrip("/"), path or "").rstrip("/")
    try:
        credentials = get_default_host_creds(host)  # type: ignore[no-untyped-call] # MLflow
        answer = http_request(  # type: ignore[no-untyped-call] # MLflow
            credentials, _LISTING, "GET", params={"path": asked}
        )
        augmented_raise_for_status(answer)  # type: ignore[no-untyped-call] # MLflow
        rows: Any = answer.json()
    except (MlflowException, OSError, ValueError) as cause:
        raise SourceError(f"cannot list {where!r}: {_reason(cause)}") from cause
    for row in rows.get("files", ()) if isinstance(rows, dict) else ():
        name, size = str(row["path"]), row.get("file_size")
        if "#" in name or unquote(name) != name:
            raise SourceError(
                f"{where!r} holds {posixpath.join(path or '', name)!r}, a name that MLflow's HTTP"
                " store cannot pass on; rename the file there, or read the store itself"
            )
        is_folder = bool(row.get("is_dir"))
        yield posixpath.join(path or "", name), is_folder, None if size is None else int(size)


class HttpFiles:
    """Opens files of an artifact folder that a server passes on."""

    def __init__(self, artifacts: HttpArtifactRepository) -> None:
        self._artifacts = artifacts

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Open a file at `offset` bytes; reading checks that the server sends what it listed."""
        return _HttpStream(self, path, size, offset)

    def request(self, path: str, offset: int) -> Response:
        """Ask for a file from `offset` on; the answer is not read yet."""
        from mlflow.utils.rest_utils import http_request

        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        # MLflow leaves '#', '?' and '%' as they are, and the server would not see the name
        return http_request(  # type: ignore[no-any-return, no-untyped-call] # MLflow
            self._artifacts._host_creds,
            posixpath.join("/", quote(path)),
            "GET",
            stream=True,
            extra_headers=headers,
        )

    def describe(self, path: str) -> str:
        """Return how messages name a file."""
        return f"{path!r} at {clean_address(str(self._artifacts.artifact_uri))!r}"


class _HttpStream(Closing):
    def __init__(self, files: HttpFiles, path: str, size: int | None, offset: int) -> None:
        self._files = files
        self._path = path
        self._size = size
        self._position = offset
        self._etag: str | None = None
        self._answer: Response | None = None
        self._attempts = _ATTEMPTS
        if size is None or offset < size:
            self._answer = self._ask()

    def readinto(self, buffer: memoryview, /) -> int:
        while self._answer is not None:
            count = self._read(self._answer, buffer)
            if count is None:
                self._again()
                continue
            self._position += count
            if self._size is not None and self._position > self._size:
                raise self._wrong_size("at least ")
            if count or self._is_whole():
                return count
            self._again()
        return 0

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _read(self, answer: Response, buffer: memoryview) -> int | None:
        """Return how many bytes came, None if the connection broke."""
        from urllib3.exceptions import HTTPError

        try:
            return int(answer.raw.readinto(buffer))
        except (HTTPError, OSError):
            return None

    def _is_whole(self) -> bool:
        return self._size is None or self._position == self._size

    def _again(self) -> None:
        """Ask for the rest after a break."""
        self.close()
        self._attempts -= 1
        if self._attempts == 0:
            raise self._wrong_size("only ")
        self._answer = self._ask()

    def _ask(self) -> Response:
        from mlflow.exceptions import MlflowException

        try:
            answer = self._files.request(self._path, self._position)
        except (MlflowException, OSError) as cause:
            raise self._failed(_reason(cause)) from cause
        try:
            self._check(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _check(self, answer: Response) -> None:
        if answer.status_code not in (200, 206):
            raise self._failed(f"status {answer.status_code}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.raw.decode_content = True
        etag = answer.headers.get("ETag")
        if self._etag is not None and etag != self._etag:
            raise self._failed("it changed while it was read")
        self._etag = etag
        if answer.status_code == 200 and self._position:
            self._drop(answer, self._position)  # the server knows no ranges
        elif answer.status_code == 206:
            given = answer.headers.get("Content-Range", "")
            if not given.startswith(f"bytes {self._position}-"):
                raise self._failed(f"asked for bytes from {self._position} on, got {given!r}")

    def _drop(self, answer: Response, count: int) -> None:
        waste = memoryview(bytearray(_DROP))
        while count:
            dropped = self._read(answer, waste[: min(count, _DROP)])
            if not dropped:
                raise self._failed("the connection broke")
            count -= dropped

    def _wrong_size(self, how: str) -> SourceError:
        return SourceError(
            f"the server lists {self._path!r} with {self._size} bytes and sent"
            f" {how}{self._position}"
        )

    def _failed(self, reason: str) -> SourceError:
        return SourceError(f"cannot read {self._files.describe(self._path)}: {reason}")


def _reason(cause: Exception) -> str:
    """Return what MLflow says, which is the whole address, without its password."""
    return Redactor().text(" ".join(str(cause).split()))
