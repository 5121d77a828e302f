"""Files in a bucket are streamed by the store's own client: nothing on disk, nothing mixed up."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.errors import SourceError
from kitline_mlflow.files import open_files
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.plugin import Entry

    from conftest import Tracked

WEIGHTS = bytes(range(256)) * 4096
CODE = b"a = 1\n"
# Google's client warns of what only its other transport needs
NOISE = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


class Line(threading.Thread):
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
            left = self.cuts.pop(0) if self.cuts else 1 << 40
            while left and (some := server.recv(min(left, 1 << 16))):
                left -= len(some)
                with contextlib.suppress(OSError):  # a reader that had enough hangs up
                    caller.sendall(some)


@pytest.fixture(scope="module", name="moto")
def _moto() -> Iterator[int]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(name="line")
def _line(moto: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Return the line to a bucket with a model in it."""
    line = Line(moto)
    line.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "moto",
        "AWS_SECRET_ACCESS_KEY": "moto-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "MLFLOW_S3_ENDPOINT_URL": line.address,
    }.items():
        monkeypatch.setenv(name, value)
    s3 = bucket(moto)
    s3.create_bucket(Bucket="runs")
    s3.put_object(Bucket="runs", Key="1/model/weights.bin", Body=WEIGHTS)
    s3.put_object(Bucket="runs", Key="1/model/code/ä b#?%.py", Body=CODE)
    s3.put_object(Bucket="runs", Key="1/model-2/other", Body=b"of another model")
    s3.close()
    yield line
    line.close()


def bucket(port: int) -> Any:
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")


def entries(uri: str) -> dict[str, Entry]:
    files, warnings = open_files(get_artifact_repository(uri))
    assert warnings == ()
    return {each.path: each for each in files}


def read(entry: Entry, offset: int = 0, after: Callable[[], None] = lambda: None) -> bytes:
    assert entry.open
    found = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with entry.open(offset) as stream:
        after()
        while count := stream.readinto(buffer):
            found += buffer[:count]
    return bytes(found)


@pytest.fixture(name="no_disk")
def _no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files be seen."""
    empty = tmp_path / "temporary"
    empty.mkdir()
    monkeypatch.setenv("TMPDIR", str(empty))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks the environment again
    return empty


def test_files_in_s3_are_streamed_and_no_byte_touches_the_disk(line: Line, no_disk: Path) -> None:
    found = entries("s3://runs/1/model")
    assert {path: each.size for path, each in found.items()} == {
        "model/weights.bin": len(WEIGHTS),
        "model/code/ä b#?%.py": len(CODE),
    }

    def look() -> None:
        assert list(no_disk.iterdir()) == []

    assert read(found["model/weights.bin"], after=look) == WEIGHTS
    assert read(found["model/code/ä b#?%.py"]) == CODE
    assert read(found["model/weights.bin"], 300_000) == WEIGHTS[300_000:]
    assert read(found["model/weights.bin"], len(WEIGHTS)) == b""


def test_a_broken_line_to_s3_goes_on_where_it_stood(line: Line) -> None:
    entry = entries("s3://runs/1/model")["model/weights.bin"]
    line.asked, line.cuts = 0, [100_000, 600_000]
    assert read(entry) == WEIGHTS
    assert line.asked == 3


def test_a_line_to_s3_that_always_breaks_is_an_error(line: Line) -> None:
    entry = entries("s3://runs/1/model")["model/weights.bin"]
    line.cuts = [100_000, 5_000, 5_000, 5_000]
    with pytest.raises(SourceError, match=r"with 1048576 bytes and sent only [0-9]+"):
        read(entry)


def test_an_object_that_changes_while_it_is_read_is_refused(line: Line, moto: int) -> None:
    entry = entries("s3://runs/1/model")["model/weights.bin"]
    line.cuts = [100_000]

    def change() -> None:
        bucket(moto).put_object(Bucket="runs", Key="1/model/weights.bin", Body=WEIGHTS[::-1])

    with pytest.raises(SourceError, match=r"'weights.bin' at 's3://runs/1/model': it changed"):
        read(entry, after=change)


def test_an_object_that_is_gone_or_forbidden_is_named_without_a_traceback(
    line: Line, moto: int
) -> None:
    entry = entries("s3://runs/1/model")["model/weights.bin"]
    bucket(moto).delete_object(Bucket="runs", Key="1/model/weights.bin")
    with pytest.raises(SourceError, match=r"cannot read 'weights.bin' at .*NoSuchKey"):
        read(entry)
    with pytest.raises(
        SourceError, match=r"cannot list 's3://nobodys/model': .*bucket does not exist"
    ):
        entries("s3://nobodys/model")


def test_a_model_logged_into_s3_is_one_kit_with_what_is_imported_from_there(
    line: Line, no_disk: Path, tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.set_tracking_uri(tracked.uri)
    experiment = mlflow.create_experiment("in a bucket", artifact_location="s3://runs/mlflow")
    with mlflow.start_run(experiment_id=experiment) as run:
        info = kitline_mlflow.log_model(model, name="m", pip_requirements=["scikit-learn"])
    assert bucket(line.port).list_objects_v2(Bucket="runs", Prefix="mlflow/")["KeyCount"] > 3
    made = kitline.import_(f"runs:/{run.info.run_id}", "again:v1", options={"again": "true"})
    assert made.digest == info.digest
    assert made.warnings == ()
    assert [each.name for each in no_disk.iterdir() if each.name.startswith("kitline")] == []


class Google(ThreadingHTTPServer):
    """What Google's client asks of Cloud Storage: the JSON API's list, get and ranges of media."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _GoogleHandler)
        self.objects = {"1/model/weights.bin": WEIGHTS, "1/model/code/ä b#?%.py": CODE}
        self.generations = dict.fromkeys(self.objects, 7)
        self.ranges: list[str] = []


class _GoogleHandler(BaseHTTPRequestHandler):
    server: Google

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        _, found, name = parts.path.partition("/b/runs/o")
        name = unquote(name.lstrip("/"))
        if found and not name:
            self._list(query["prefix"])
        elif not self._is_there(name, query.get("generation")):
            self._send(404, {}, b"{}")
        elif query.get("alt") == "media":
            self._media(self.server.objects[name])
        else:
            self._send(200, {}, json.dumps(self._row(name)).encode())

    def _is_there(self, name: str, generation: str | None) -> bool:
        known = self.server.generations.get(name)
        return known is not None and generation in (None, str(known))

    def _row(self, name: str) -> dict[str, str]:
        size, generation = len(self.server.objects[name]), self.server.generations[name]
        return {"name": name, "size": str(size), "generation": str(generation)}

    def _list(self, prefix: str) -> None:
        below = [each for each in self.server.objects if each.startswith(prefix)]
        deeper = {each for each in below if "/" in each.removeprefix(prefix)}
        folders = {f"{prefix}{each.removeprefix(prefix).partition('/')[0]}/" for each in deeper}
        items = [self._row(each) for each in below if each not in deeper]
        self._send(200, {}, json.dumps({"items": items, "prefixes": sorted(folders)}).encode())

    def _media(self, content: bytes) -> None:
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        self.server.ranges.append(self.headers["Range"])
        some = content[int(first) : int(last or len(content)) + 1]
        if not some:
            self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        given = f"bytes {first}-{int(first) + len(some) - 1}/{len(content)}"
        self._send(206, {"Content-Range": given}, some)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(name="google")
def _google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with Google() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


@NOISE
def test_files_in_google_cloud_storage_are_streamed_and_no_byte_touches_the_disk(
    google: Google, no_disk: Path
) -> None:
    google.objects["1/model/weights.bin"] = large = WEIGHTS * 9
    found = entries("gs://runs/1/model")
    assert {path: each.size for path, each in found.items()} == {
        "model/weights.bin": len(large),
        "model/code/ä b#?%.py": len(CODE),
    }

    def look() -> None:
        assert list(no_disk.iterdir()) == []

    assert read(found["model/weights.bin"], after=look) == large
    assert len(google.ranges) == 2  # pieces, not the file at once
    assert read(found["model/code/ä b#?%.py"]) == CODE
    assert read(found["model/weights.bin"], 300_000) == large[300_000:]
    assert read(found["model/weights.bin"], len(large)) == b""


@NOISE
def test_a_google_object_that_changes_while_it_is_read_is_refused(google: Google) -> None:
    google.objects["1/model/weights.bin"] = WEIGHTS * 9
    entry = entries("gs://runs/1/model")["model/weights.bin"]

    def change() -> None:
        google.generations["1/model/weights.bin"] = 8

    with pytest.raises(SourceError, match=r"'weights.bin' at 'gs://runs/1/model': it changed"):
        read(entry, after=change)


@NOISE
def test_a_google_object_of_another_size_or_gone_is_refused(google: Google) -> None:
    entry = entries("gs://runs/1/model")["model/weights.bin"]
    google.objects["1/model/weights.bin"] = WEIGHTS[:-1]
    with pytest.raises(SourceError, match=r"with 1048576 bytes and sent only 1048575"):
        read(entry)
    del google.generations["1/model/weights.bin"]
    with pytest.raises(SourceError, match=r"'weights.bin' at .* it is not there"):
        read(entry)
