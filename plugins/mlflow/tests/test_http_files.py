"""Files that a server passes on are streamed: nothing copied, nothing short, nothing mixed up."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from kitline.errors import SourceError
from kitline_mlflow.files import fetch_files, find_files, open_files
from kitline_mlflow.remote.folders import list_files
from kitline_mlflow.remote.opener import find_opener
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.plugin import Entry

ROOT = "/api/2.0/mlflow-artifacts/artifacts"
WEIGHTS = bytes(range(256)) * 4096


class Artifacts(ThreadingHTTPServer):
    """What a proxying MLflow server answers for artifacts, with faults."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.knows_ranges = True
        self.cuts: list[int] = []
        """After how many bytes the next answers break off."""
        self.extra = b""
        self.etags: list[str] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def repository(self) -> HttpArtifactRepository:
        return HttpArtifactRepository(f"http://127.0.0.1:{self.server_port}{ROOT}/m")


class _Handler(BaseHTTPRequestHandler):
    server: Artifacts

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/artifacts"):
            self._list(parse_qs(parts.query)["path"][0])
        else:
            self._send(unquote(parts.path.partition("/artifacts/m/")[2]))

    def _list(self, path: str) -> None:
        folder = self.server.folder / path.removeprefix("m").lstrip("/")
        rows = [
            {"path": each.name, "is_dir": True}
            if each.is_dir()
            else {"path": each.name, "is_dir": False, "file_size": each.stat().st_size}
            for each in sorted(folder.iterdir())
        ]
        body = json.dumps({"files": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, name: str) -> None:
        server, given = self.server, self.headers["Range"]
        server.asked.append((name, given))
        if not (server.folder / name).is_file():
            self.send_error(404)
            return
        content = (server.folder / name).read_bytes() + server.extra
        start = int(given.removeprefix("bytes=").rstrip("-")) if given else 0
        if given and server.knows_ranges:
            self.send_response(206)
            size = len(content)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            content = content[start:]
        else:
            self.send_response(200)
        if server.etags:
            self.send_header("ETag", server.etags.pop(0))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a reader that was sent too much hangs up
            self.wfile.write(content[: server.cuts.pop(0)] if server.cuts else content)
        self.close_connection = True


@pytest.fixture(name="artifacts")
def _artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Artifacts]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # else it waits for minutes
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(WEIGHTS)
    (folder / "code/a.py").write_text("a = 1\n")
    with Artifacts(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def weights(artifacts: Artifacts) -> Entry:
    files, warnings = open_files(artifacts.repository)
    assert warnings == ()
    return next(each for each in files if each.path == "model/weights.bin")


def read(entry: Entry, offset: int = 0) -> bytes:
    assert entry.open
    found = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with entry.open(offset) as stream:
        while count := stream.readinto(buffer):
            found += buffer[:count]
    return bytes(found)


def test_files_of_a_server_are_those_of_its_folder(artifacts: Artifacts) -> None:
    files, _ = open_files(artifacts.repository)
    local = find_files(artifacts.folder)
    assert sorted((each.path, each.size) for each in files) == sorted(
        (each.path, each.size) for each in local
    )
    assert {each.path: read(each) for each in files} == {each.path: read(each) for each in local}


def test_nothing_is_asked_for_before_it_is_read_and_each_file_once(artifacts: Artifacts) -> None:
    files, _ = open_files(artifacts.repository)
    assert artifacts.asked == []
    for each in files:
        read(each)
    assert sorted(artifacts.asked) == [("code/a.py", None), ("weights.bin", None)]


def test_a_streamed_file_touches_no_disk(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "temporary"
    empty.mkdir(mode=0o500)
    monkeypatch.setenv("TMPDIR", str(empty))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks the environment again
    assert read(weights(artifacts)) == WEIGHTS
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_reading_may_begin_anywhere(artifacts: Artifacts, *, knows_ranges: bool) -> None:
    artifacts.knows_ranges = knows_ranges
    assert read(weights(artifacts), 300_000) == WEIGHTS[300_000:]
    assert read(weights(artifacts), len(WEIGHTS)) == b""


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_connection_goes_on_where_it_stood(
    artifacts: Artifacts, *, knows_ranges: bool
) -> None:
    artifacts.knows_ranges = knows_ranges
    artifacts.cuts = [100_000, 600_000]
    assert read(weights(artifacts)) == WEIGHTS
    assert len(artifacts.asked) == 3


def test_a_connection_that_always_breaks_is_an_error(artifacts: Artifacts) -> None:
    artifacts.cuts = [10] * 20
    with pytest.raises(SourceError, match=r"with 1048576 bytes and sent only [0-9]+"):
        read(weights(artifacts))


def test_a_file_that_changes_between_two_attempts_is_refused(artifacts: Artifacts) -> None:
    artifacts.cuts = [1000]
    artifacts.etags = ['"1"', '"2"']
    with pytest.raises(SourceError, match="it changed while it was read"):
        read(weights(artifacts))


def test_more_bytes_than_listed_are_refused(artifacts: Artifacts) -> None:
    entry = weights(artifacts)
    artifacts.extra = b"more"
    with pytest.raises(SourceError, match="with 1048576 bytes and sent at least"):
        read(entry)


def test_fewer_bytes_than_listed_are_refused(artifacts: Artifacts) -> None:
    entry = weights(artifacts)
    (artifacts.folder / "weights.bin").write_bytes(WEIGHTS[:-1])
    with pytest.raises(SourceError, match=r"with 1048576 bytes|status|asked for"):
        read(entry)


def test_a_file_that_is_gone_is_named(artifacts: Artifacts) -> None:
    (artifacts.folder / "odd").write_bytes(b"1")
    repository = artifacts.repository
    (entry,) = fetch_files(find_opener(repository), [("nothing", 1)])
    with pytest.raises(SourceError, match=r"cannot read 'nothing' at 'http://127"):
        read(entry)


@pytest.mark.parametrize("name", ["a?b", "a b", "ü.txt", "100%", "a;b", "a+b"])
def test_odd_names_are_read_as_they_are_listed(artifacts: Artifacts, name: str) -> None:
    (artifacts.folder / name).write_text(name)
    listed = dict(list_files(artifacts.repository))
    assert listed[name] == len(name.encode())
    files, _ = open_files(artifacts.repository)
    entry = next(each for each in files if each.path == f"model/{name}")
    assert read(entry) == name.encode()


@pytest.mark.parametrize("name", ["a#b", "a%20b.txt"])
def test_names_that_a_server_cannot_pass_on_are_reported(artifacts: Artifacts, name: str) -> None:
    (artifacts.folder / "code" / name).write_text(name)
    with pytest.raises(SourceError, match=f"holds 'code/{name}', a name that MLflow's HTTP store"):
        open_files(artifacts.repository)
