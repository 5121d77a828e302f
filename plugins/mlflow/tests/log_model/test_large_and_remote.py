"""Large models and servers: no copy on disk, little memory, and nothing is downloaded again."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.testing.fixtures import docker_registry_2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.testing import LocalRegistry

    from conftest import Fitted, MlflowServer, Tracked

__all__ = ["docker_registry_2"]
pytestmark = pytest.mark.slow
MIB = 1 << 20
LOCAL_SIZE = 256 * MIB
REMOTE_SIZE = 128 * MIB

PROGRAM = """
import json, os, resource, sys, threading, types
import mlflow

uri, experiment, size, reference = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
mlflow.set_tracking_uri(uri)

def save_model(weights, path, mlflow_model=None):
    os.makedirs(path)
    block = os.urandom(1 << 20)
    with open(f"{path}/weights.bin", "wb") as file:
        for _ in range(size >> 20):
            file.write(block)
    mlflow_model.add_flavor("weights")
    mlflow_model.save(f"{path}/MLmodel")

flavor = types.ModuleType("weights_flavor")
flavor.save_model = save_model
peak, done = {}, threading.Event()

def used(folder):
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                pass
    return total

def watch():
    while not done.wait(0.05):
        for name in ("TMPDIR", "KITLINE_HOME"):
            peak[name] = max(peak.get(name, 0), used(os.environ[name]))

threading.Thread(target=watch, daemon=True).start()
digest = None
with mlflow.start_run(experiment_id=experiment):
    if reference:
        import kitline_mlflow
        info = kitline_mlflow.log_model(None, name="m", flavor=flavor, reference=reference)
        digest = str(info.digest)
    else:
        info = mlflow.models.Model.log(artifact_path=None, flavor=flavor, name="m", weights=None)
done.set()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"digest": digest, "uri": info.model_uri, "memory": memory, **peak}))
"""


class Counting(BaseHTTPRequestHandler):
    """Passes requests on to an MLflow server and counts the bytes of artifacts that come back."""

    protocol_version = "HTTP/1.1"
    target = ""
    downloaded = 0

    def pass_on(self) -> None:
        """Answer what the server answers."""
        length = int(self.headers.get("Content-Length", 0))
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc)
        headers = {key: value for key, value in self.headers.items() if key != "Host"}
        if self.headers.get("Transfer-Encoding") == "chunked":
            body: Any = self._chunks()
        else:
            body = _Limited(self.rfile, length) if length else None
        connection.request(self.command, self.path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        if self.command == "GET" and "/mlflow-artifacts/artifacts/" in self.path:
            type(self).downloaded += len(content)
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


class _Limited:
    """As much of a stream as the request holds."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int = -1) -> bytes:
        found: bytes = self._stream.read(min(self._left, size if size >= 0 else self._left))
        self._left -= len(found)
        return found


@contextmanager
def counted(server: MlflowServer) -> Iterator[tuple[str, type[Counting]]]:
    """Return the address of a counting passage to the server, and its counter."""
    handler = type("Handler", (Counting,), {"target": server.url, "downloaded": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as passage:
        passage.daemon_threads = True
        thread = threading.Thread(target=passage.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{passage.server_port}", handler
        finally:
            passage.shutdown()
            thread.join()


@pytest.fixture(name="log_large")
def _log_large(
    run_fresh: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Return what logs a large model in a fresh process and tells its peaks."""
    for name in ("TMPDIR", "KITLINE_HOME"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / name))

    def log(uri: str, experiment: str, size: int, reference: str = "") -> dict[str, Any]:
        printed = run_fresh(PROGRAM, uri, experiment, str(size), reference)
        found = json.loads(printed.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    return log


@pytest.mark.registry
def test_a_large_model_of_a_local_store_is_packed_without_a_copy_and_with_little_memory(
    tracked: Tracked, log_large: Callable[..., dict[str, Any]], docker_registry_2: Any
) -> None:
    alone = log_large(tracked.uri, tracked.experiment_id, MIB)
    reference = f"{docker_registry_2.host}/large:v1"
    found = log_large(tracked.uri, tracked.experiment_id, LOCAL_SIZE, reference)
    assert kitline.inspect(reference).digest == kitline.Digest(found["digest"])
    assert found["TMPDIR"] < 1.1 * LOCAL_SIZE  # MLflow's own folder
    assert found["KITLINE_HOME"] < 4 * MIB
    assert found["memory"] - alone["memory"] < 150 * MIB


@pytest.mark.registry
def test_a_large_model_of_a_server_is_packed_from_what_was_uploaded(
    mlflow_server: MlflowServer, log_large: Callable[..., dict[str, Any]], docker_registry_2: Any
) -> None:
    client = mlflow.MlflowClient(mlflow_server.url)
    experiment = client.create_experiment("large")
    reference = f"{docker_registry_2.host}/remote:v1"
    with counted(mlflow_server) as (url, counter):
        alone = log_large(url, experiment, MIB)
        found = log_large(url, experiment, REMOTE_SIZE, reference)
        assert counter.downloaded == 0
    assert found["TMPDIR"] < 1.1 * REMOTE_SIZE
    assert found["KITLINE_HOME"] < 4 * MIB
    assert found["memory"] - alone["memory"] < 150 * MIB


def test_over_http_log_model_downloads_nothing_and_import_gives_the_same_digest(
    mlflow_server: MlflowServer,
    iris: Fitted,
    registry: LocalRegistry,
    ambient_server: Callable[..., Any],
    run_fresh: Callable[..., str],
) -> None:
    with counted(mlflow_server) as (url, counter), ambient_server(url):
        experiment = mlflow.MlflowClient(url).create_experiment("counted")
        with mlflow.start_run(experiment_id=experiment):
            info = kitline_mlflow.log_model(
                iris.model,
                name="iris",
                reference=f"{registry.host}/iris:v1",
                registered_model_name="iris-over-http",
                aliases=["champion"],
                pip_requirements=["scikit-learn"],
            )
        assert counter.downloaded == 0
        again = kitline.import_(info.model_uri, "again:v1", options={"again": "true"})
        assert again.digest == info.digest
        for uri in ("models:/iris-over-http@champion", f"modelkit://{info.reference}/model"):
            model = mlflow.pyfunc.load_model(uri)
            assert [int(each) for each in model.predict(iris.data)] == iris.predictions


@pytest.mark.parametrize("kind", ["modelkit", "pointer"])
def test_a_server_without_more_settings_takes_versions_by_digest_and_pointers(
    mlflow_server: MlflowServer,
    iris: Fitted,
    registry: LocalRegistry,
    ambient_server: Callable[..., Any],
    kind: Any,
) -> None:
    with ambient_server(mlflow_server.url):
        experiment = mlflow.MlflowClient(mlflow_server.url).create_experiment(f"as-{kind}")
        with mlflow.start_run(experiment_id=experiment):
            info = kitline_mlflow.log_model(
                iris.model,
                name="iris",
                reference=f"{registry.host}/iris:v1",
                registered_model_name=f"iris-as-{kind}",
                register_as=kind,
                keep="registry",
                aliases=["champion"],
                pip_requirements=["scikit-learn"],
            )
        assert info.version
        assert info.version.kind == kind
        model = mlflow.pyfunc.load_model(f"models:/iris-as-{kind}@champion")
        assert [int(each) for each in model.predict(iris.data)] == iris.predictions
