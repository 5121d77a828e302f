"""What tests of this plugin share: a template database, a real server, a registry.

The template holds one run and is made once per process; tests that write take a copy of it, which
lies at the same address for every test, because MLflow takes long to open one that it has not seen.
The server is one for all processes of a test run and starts when the first test asks for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.testing import LocalRegistry
from kitline.testing.fixtures import isolated_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["isolated_home"]

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # tests call nobody
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
os.environ.update(_QUIET)
_PATIENCE = 240.0

NOISE = (
    # MLflow 3.17 uses loader options that SQLAlchemy 2.1 means to drop
    "ignore::sqlalchemy.exc.SADeprecationWarning",
    # MLflow's own import hooks, once it evaluates, for libraries that nobody has imported yet
    "ignore:_ImportHookChainedLoader.exec_module:ImportWarning",
    "ignore:the load_module.. method is deprecated:DeprecationWarning",
    # importing MLflow makes models of its own that it then warns of
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for each in NOISE:
                item.add_marker(pytest.mark.filterwarnings(each))


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A tracking database with a finished run that logged one model."""

    uri: str
    experiment_id: str
    run_id: str
    model_id: str
    model_folder: Path


@pytest.fixture(scope="session", name="template")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """Make the database once: the first one in a process costs seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(_empty_database(_shared(tmp_path_factory)), folder / "mlflow.db")
    return _train(folder)


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of a test run have."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


def _empty_database(root: Path) -> Path:
    """Make a database with tables once for all processes: MLflow runs all of its migrations."""
    from mlflow import MlflowClient

    folder = root / "mlflow-empty"
    folder.mkdir(exist_ok=True)
    with (folder / "making").open("wb") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        if not (folder / "mlflow.db").exists():
            with contextlib.chdir(folder):
                MlflowClient(f"sqlite:///{folder / 'new.db'}")
            _close_connections(f"sqlite:///{folder / 'new.db'}")
            (folder / "new.db").rename(folder / "mlflow.db")
    return folder / "mlflow.db"


def _train(folder: Path) -> Tracked:
    import mlflow
    from mlflow import MlflowClient
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with contextlib.chdir(folder), ambient_server(uri):
        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("iris", artifact_location=str(folder / "artifacts"))
        data, labels = load_iris(return_X_y=True)
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_params({"C": 0.5, "max_iter": 200})
            model = LogisticRegression(C=0.5, max_iter=200).fit(data, labels)
            logged = mlflow.sklearn.log_model(
                model, name="iris", pip_requirements=["scikit-learn"], params={"solver": "lbfgs"}
            )
            mlflow.log_metric("accuracy", model.score(data, labels))
        found = client.get_logged_model(logged.model_id)
        return Tracked(
            uri=uri,
            experiment_id=experiment,
            run_id=run.info.run_id,
            model_id=found.model_id,
            model_folder=Path(found.artifact_location),
        )


@contextlib.contextmanager
def ambient_server(uri: str) -> Iterator[None]:
    """Make an address MLflow's tracking server, and none again afterwards."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # as before the first call


@pytest.fixture(scope="session", name="put_database")
def _put_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], str]:
    """Return what puts a copy of a database where a test finds it: given a name, its address.

    MLflow reads all of its migrations for an address that it has not opened before, 0.3 s; so the
    addresses stay the same and the files change. Artifacts without a place go to `mlruns` beside.
    """
    from mlflow import MlflowClient

    root = tmp_path_factory.mktemp("databases")

    def put(name: str, content: Path) -> str:
        folder = root / name
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        _close_connections(uri)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(content, folder / "mlflow.db")
        with contextlib.chdir(folder):
            MlflowClient(uri)  # the first time it settles where `mlruns` is
        return uri

    return put


def _close_connections(uri: str) -> None:
    """Have MLflow connect anew: an open connection may believe in pages of the file before."""
    from mlflow.store.model_registry import sqlalchemy_store as versions
    from mlflow.store.tracking import sqlalchemy_store as runs

    for each in (versions, runs):
        if uri in each.SqlAlchemyStore._engine_map:
            each.SqlAlchemyStore._engine_map[uri].dispose()


@pytest.fixture(name="tracked")
def _tracked(template: Tracked, put_database: Callable[[str, Path], str]) -> Tracked:
    """Return a copy of the database; the artifacts are the template's."""
    uri = put_database("tracked", Path(template.uri.removeprefix("sqlite:///")))
    return Tracked(**{**vars(template), "uri": uri})


@dataclass(frozen=True, kw_only=True)
class MlflowServer:
    """A real `mlflow server` that passes artifacts on; make an experiment of your own."""

    url: str
    artifacts: Path
    """Where the server keeps artifacts, for tests that look or meddle."""


@pytest.fixture(scope="session", name="mlflow_server")
def _mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Tests that use it are marked slow: the first one waits for its start, about 20 s."""
    folder = _shared(tmp_path_factory) / "mlflow-server"
    folder.mkdir(exist_ok=True)
    (folder / "users").touch()
    with (folder / "users").open("rb") as users:
        with (folder / "start").open("wb") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            url = _running(folder) or _start(folder)
        yield MlflowServer(url=url, artifacts=folder / "artifacts")


def _running(folder: Path) -> str | None:
    try:
        url = (folder / "url").read_text()
    except FileNotFoundError:
        return None
    return url if _is_healthy(url) else None


def _start(folder: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(__file__).with_name("serve_mlflow.py")
    # it outlives this process if another one uses the server by then
    runner = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(port)], start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + _PATIENCE
    try:
        while not _is_healthy(url):
            if runner.poll() is not None or time.monotonic() > end:
                pytest.fail(f"mlflow server did not start:\n{(folder / 'log').read_text()}")
            time.sleep(0.2)
    finally:
        runner.returncode = 0  # nobody waits for it; without this its object warns when collected
    (folder / "url").write_text(url)
    return url


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(name="registry")
def _registry() -> Iterator[LocalRegistry]:
    """Return an empty registry inside this process; name it by its `host`."""
    with LocalRegistry() as registry:
        yield registry


@pytest.fixture(autouse=True)
def _elsewhere(
    isolated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Work in a folder and home of its own: MLflow makes databases where it stands."""
    del isolated_home  # asked for: it empties the environment first
    for name, value in _QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)  # a default that was once asked for is one of this folder
