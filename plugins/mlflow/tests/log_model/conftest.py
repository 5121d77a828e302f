"""What the tests of `log_model` share: an ambient tracking server and a small fitted model."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from mlflow import MlflowClient

    from conftest import Tracked


@contextmanager
def _ambient_server(uri: str) -> Iterator[None]:
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


@pytest.fixture(name="ambient_server")
def _ambient_server_fixture() -> Callable[[str], AbstractContextManager[None]]:
    """Return what makes an address MLflow's tracking server for a while."""
    return _ambient_server


@pytest.fixture(name="ambient")
def _ambient(tracked: Tracked) -> Iterator[Tracked]:
    """Make a copy of the template database the ambient server."""
    with _ambient_server(tracked.uri):
        yield tracked


@pytest.fixture(name="client")
def _client(ambient: Tracked) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=ambient.uri)


@dataclass(frozen=True)
class Fitted:
    """A fitted model and what it predicts for `data`."""

    model: Any
    data: Any

    @property
    def predictions(self) -> list[int]:
        return [int(each) for each in self.model.predict(self.data)]


@pytest.fixture(scope="session", name="iris")
def _iris() -> Fitted:
    """Fit a small model on real bundled data."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data, labels = load_iris(return_X_y=True)
    return Fitted(LogisticRegression(max_iter=300).fit(data, labels), data[::10])


@pytest.fixture(scope="session", name="run_fresh")
def _run_fresh() -> Callable[..., str]:
    """Return what runs a program in a fresh process and returns what it printed."""

    def run(program: str, *arguments: str) -> str:
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    return run
