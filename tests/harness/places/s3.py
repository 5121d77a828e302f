"""S3: moto, behind a line that breaks off."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class S3Place:
    """The bucket `runs` of a server, through a line of its own."""

    def __init__(self, uri: str, line: _Line) -> None:
        self.uri = uri
        self._line = line
        self._bucket: Any = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{line.port}")
        self._bucket.create_bucket(Bucket="runs")

    @property
    def asked(self) -> int:
        return self._line.asked

    @asked.setter
    def asked(self, count: int) -> None:
        self._line.asked = count

    def put(self, name: str, content: bytes) -> None:
        self._bucket.put_object(Bucket="runs", Key=f"1/model/{name}", Body=content)

    def delete(self, name: str) -> None:
        self._bucket.delete_object(Bucket="runs", Key=f"1/model/{name}")

    def cut(self, *counts: int) -> None:
        self._line.cuts[:] = counts

    def list(self, prefix: str) -> list[str]:
        """Return the keys of objects."""
        found = self._bucket.list_objects_v2(Bucket="runs", Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", ())]

    def close(self) -> None:
        for each in self.list(""):
            self._bucket.delete_object(Bucket="runs", Key=each)
        self._bucket.close()


@contextlib.contextmanager
def serve_s3(moto: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Place]:
    """Serve a bucket of the moto server on a port."""
    line = _Line(moto)
    line.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "moto",
        "AWS_SECRET_ACCESS_KEY": "moto-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "MLFLOW_S3_ENDPOINT_URL": line.address,
    }.items():
        monkeypatch.setenv(name, value)
    place = S3Place("s3://runs/1/model", line)
    yield place
    place.close()
    line.close()


class _Line(threading.Thread):
    """A line to a server that breaks off: `cuts` are the bytes that the next answers get."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.cuts: list[int] = []
        self.asked = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._calls: list[threading.Thread] = []

    def run(self) -> None:
        while True:
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            self._calls.append(threading.Thread(target=self._pass_on, args=(caller,)))
            self._calls[-1].start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.join()
        for each in self._calls:
            each.join()

    def _pass_on(self, caller: socket.socket) -> None:
        """Pass one request on, and its answer as far as it goes."""
        with caller, socket.create_connection(("127.0.0.1", self.port)) as server:
            request = caller.recv(1 << 16)
            if not request:
                return
            self.asked += 1
            server.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            rest = threading.Thread(target=_pump, args=(caller, server))
            rest.start()
            left = self.cuts.pop(0) if self.cuts else 1 << 40
            while left and (some := server.recv(min(left, 1 << 16))):
                left -= len(some)
                with contextlib.suppress(OSError):  # a reader that had enough hangs up
                    caller.sendall(some)
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
            rest.join()


def _pump(caller: socket.socket, server: socket.socket) -> None:
    """Pass the body of a request on."""
    with contextlib.suppress(OSError):
        while some := caller.recv(1 << 16):
            server.sendall(some)
