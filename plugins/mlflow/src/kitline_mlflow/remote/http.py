"""Files behind an MLflow server, streamed by HTTP: nothing is stored on the way.

Requests go through MLflow's own function, so that its credentials, certificates, headers and
retries hold.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from kitline.errors import SourceError

from kitline_mlflow.redact import clean_address, reason_of
from kitline_mlflow.remote.resuming import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    from requests import Response

    from kitline_mlflow.remote.resuming import RemoteFile

_LISTING = "/mlflow-artifacts/artifacts"
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
        found = [
            (
                str(row["path"]),
                bool(row.get("is_dir")),
                None if (size := row.get("file_size")) is None else int(size),
            )
            for row in answer.json().get("files", ())
        ]
    except (MlflowException, OSError, ValueError) as cause:
        raise SourceError(f"cannot list {where!r}: {reason_of(cause)}") from cause
    except (KeyError, TypeError, AttributeError) as cause:
        raise SourceError(f"cannot list {where!r}: the answer is no list of files") from cause
    for name, is_folder, size in found:
        if "#" in name or unquote(name) != name:
            raise SourceError(
                f"{where!r} holds {posixpath.join(path or '', name)!r}, a name that MLflow's HTTP"
                " store cannot pass on; rename the file there, or read the store itself"
            )
        yield posixpath.join(path or "", name), is_folder, size


def ask_http(
    file: RemoteFile[HttpArtifactRepository], position: int, version: str | None
) -> _HttpAnswer:
    """Get a file that a server passes on from a position on."""
    from mlflow.exceptions import MlflowException

    try:
        response = _request(file, position)
    except (MlflowException, OSError) as cause:
        raise file.unreadable(cause) from cause
    answer = _HttpAnswer(response)
    try:
        problem = answer.go_to(position, version)
        if problem:
            raise file.unreadable(problem)
    except BaseException:
        answer.close()
        raise
    return answer


def _request(file: RemoteFile[HttpArtifactRepository], position: int) -> Response:
    """Ask for a file from a position on; the answer is not read yet."""
    from mlflow.utils.rest_utils import http_request

    headers = {"Accept-Encoding": "identity"}
    if position:
        headers["Range"] = f"bytes={position}-"
    # MLflow leaves '#', '?' and '%' as they are, and the server would not see the name
    return http_request(  # type: ignore[no-any-return, no-untyped-call] # MLflow
        file.artifacts._host_creds,
        posixpath.join("/", quote(file.path)),
        "GET",
        stream=True,
        extra_headers=headers,
    )


class _HttpAnswer:
    def __init__(self, response: Response) -> None:
        self._response = response
        self.version = response.headers.get("ETag")

    def readinto(self, buffer: memoryview, /) -> int | None:
        from urllib3.exceptions import HTTPError

        try:
            return int(self._response.raw.readinto(buffer))
        except (HTTPError, OSError):
            return None

    def close(self) -> None:
        self._response.close()

    def go_to(self, position: int, version: str | None) -> str:
        """See that reading begins at `position`; return why it cannot, empty if it does."""
        response = self._response
        if response.status_code == 416:  # it has become shorter
            return CHANGED
        if response.status_code not in (200, 206):
            return f"status {response.status_code}"
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.raw.decode_content = True
        if version is not None and self.version != version:
            return CHANGED
        if response.status_code == 200:  # the server knows no ranges
            return "" if self._drop(position) else "the connection broke"
        given = response.headers.get("Content-Range", "")
        is_there = given.startswith(f"bytes {position}-")
        return "" if is_there else f"asked for bytes from {position} on, got {given!r}"

    def _drop(self, count: int) -> bool:
        waste = memoryview(bytearray(min(count, _DROP)))
        while count:
            dropped = self.readinto(waste[: min(count, _DROP)])
            if not dropped:
                return False
            count -= dropped
        return True
