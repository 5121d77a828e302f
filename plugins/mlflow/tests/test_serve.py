"""Servers and digests: a model served by its digest, and what MLflow's server reads for its UI."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing import LocalRegistry

    from conftest import MlflowServer, Tracked

pytestmark = pytest.mark.slow
# for a server in another environment: nothing of kitline is installed there
HIDE_KITLINE = """
import importlib.metadata, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("kitline"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
every = importlib.metadata.entry_points
def others(**asked):
    found = every(**asked)
    return type(found)(each for each in found if not each.value.startswith("kitline"))
importlib.metadata.entry_points = others
"""
ROWS = load_iris(return_X_y=True)[0][::10]
PATIENCE = 150.0


@pytest.fixture(name="kit")
def _kit(template: Tracked, tmp_path: Path, registry: LocalRegistry) -> str:
    folder = tmp_path / "kit"
    shutil.copytree(template.model_folder, folder / "model")
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: iris}\nmodel: {name: iris, path: model}\n"
    )
    return f"modelkit://{kitline.pack(folder, f'{registry.host}/team/iris:v1')}/model"


@contextlib.contextmanager
def ambient_server(url: str) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


@contextlib.contextmanager
def running(words: list[str], path: str, environment: dict[str, str], log: Path) -> Iterator[str]:
    """Run an HTTP server of MLflow's on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # its uvicorn
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=os.environ
            | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": programs}
            | environment,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + PATIENCE
            url = f"http://127.0.0.1:{port}"
            while status(f"{url}{path}") != 200:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.3)
            yield url
        finally:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, which failed above
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_model_is_served_by_its_digest(template: Tracked, kit: str, tmp_path: Path) -> None:
    words = ["models", "serve", "-m", kit, "--env-manager", "local"]
    with running(words, "/ping", {}, tmp_path / "log") as url:
        request = urllib.request.Request(
            f"{url}/invocations",
            data=json.dumps({"inputs": ROWS.tolist()}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)["predictions"]
    model = mlflow.pyfunc.load_model(str(template.model_folder))
    assert found == list(model.predict(ROWS))


def register(url: str, kit: str) -> str:
    """Register a version; return the address from which the UI shows its MLmodel."""
    client = MlflowClient(url, url)
    name = f"ui-{os.urandom(4).hex()}"
    client.create_registered_model(name)
    version = client.create_model_version(name, kit, await_creation_for=0).version
    return f"{url}/model-versions/get-artifact?path=MLmodel&name={name}&version={version}"


def test_a_server_asks_no_registry_for_those_who_register_its_address(
    kit: str, mlflow_server: MlflowServer, registry: LocalRegistry
) -> None:
    registry.forget()
    shown = register(mlflow_server.url, kit)
    assert status(shown) >= 400
    client = MlflowClient(mlflow_server.url)
    experiment = client.create_experiment(f"e-{os.urandom(4).hex()}", artifact_location=kit)
    run = client.create_run(experiment).info.run_id
    asked = f"{mlflow_server.url}/api/2.0/mlflow/artifacts/list?run_id={run}"
    assert status(asked) >= 400
    assert registry.count() == 0


def test_a_server_whose_pattern_refuses_the_source_gets_a_pointer_that_loads(
    template: Tracked, registry: LocalRegistry, tmp_path: Path, tracked: Tracked
) -> None:
    pattern = r"\A(models:/m-[0-9a-f]+|models:/[^/]+/[0-9]+|dummy-source)\Z"
    environment = {"MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": pattern}
    words = ["server", "--workers", "1", "--backend-store-uri", tracked.uri]
    ambient = mlflow.get_tracking_uri()
    with running(words, "/health", environment, tmp_path / "log") as url:
        mlflow.set_tracking_uri(url)
        try:
            with pytest.warns(UserWarning, match="takes no modelkit:// source, so 'iris' got a p"):
                info = kitline_mlflow.log_modelkit(
                    model_id=template.model_id,
                    reference=f"{registry.host}/team/iris:v1",
                    registered_model_name="iris",
                    register_as="modelkit",
                    aliases=["champion"],
                )
            assert info.version
            assert info.version.kind == "pointer"
            found = mlflow.pyfunc.load_model("models:/iris@champion").predict(ROWS)
            listed = MlflowClient(url).get_logged_model(
                info.version.source.removeprefix("models:/")
            )
            assert listed.tags["mlflow.modelVersions"].count('"iris"') == 1
        finally:
            mlflow.set_tracking_uri(ambient)
    model = mlflow.pyfunc.load_model(str(template.model_folder))
    assert list(found) == list(model.predict(ROWS))


def test_a_server_without_the_plugin_keeps_versions_by_digest_and_cannot_show_them(
    kit: str, registry: LocalRegistry, tmp_path: Path, tracked: Tracked, template: Tracked
) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(HIDE_KITLINE)
    words = ["server", "--workers", "1", "--backend-store-uri", tracked.uri]
    words += ["--artifacts-destination", str(tmp_path / "destination")]
    environment = {"PYTHONPATH": str(tmp_path / "without")}
    with running(words, "/health", environment, tmp_path / "log") as url:
        registry.forget()
        assert status(register(url, kit)) == 500
        assert registry.count() == 0
        client = MlflowClient(url)
        experiment = client.create_experiment("e", artifact_location=kit)
        assert client.get_experiment(experiment).artifact_location == kit
        (version,) = client.search_model_versions(f"source_path='{kit}'")
        with ambient_server(url):
            found = mlflow.pyfunc.load_model(f"models:/{version.name}/1").predict(ROWS)
    assert "kitline" not in (tmp_path / "log").read_text()
    model = mlflow.pyfunc.load_model(str(template.model_folder))
    assert list(found) == list(model.predict(ROWS))


def test_a_server_shows_the_model_of_a_registry_that_it_may_ask(
    kit: str, registry: LocalRegistry, tmp_path: Path, tracked: Tracked
) -> None:
    environment = {"KITLINE_MLFLOW_ALLOWED_REGISTRIES": registry.host}
    words = ["server", "--workers", "1", "--backend-store-uri", tracked.uri]
    words += ["--default-artifact-root", kit]  # MLflow takes it; reading asks the same list
    with running(words, "/health", environment, tmp_path / "log") as url:
        client = MlflowClient(url)
        made = client.get_experiment(client.create_experiment(f"e-{os.urandom(4).hex()}"))
        assert made.artifact_location.startswith(kit)
        shown = register(url, kit)
        registry.forget()
        with urllib.request.urlopen(shown, timeout=60) as answer:
            assert b"python_function" in answer.read()
        assert registry.count("GET", r"/blobs/") == 3  # config twice, the model's layer
