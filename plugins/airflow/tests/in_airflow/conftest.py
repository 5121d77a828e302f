"""One Airflow home for the whole session: set before Airflow is imported for the first time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kitline.testing import LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).parent))
from airflow_home import DAGS, HOME  # sets the environment

NOISE = (
    # Airflow 3.3 and what it stands on, at import and when its database is made
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:.*graphviz.*:UserWarning",
    "ignore:.*httpx.*:Warning",
    "ignore::sqlalchemy.exc.SAWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for each in NOISE:
                item.add_marker(pytest.mark.filterwarnings(each))


@pytest.fixture(scope="session")
def database() -> Path:
    """Airflow's database, made once: seconds."""
    from airflow.utils.db import initdb

    initdb()
    return HOME


@pytest.fixture(autouse=True)
def _only_own_dags() -> Iterator[None]:
    """Leave no DAG file behind: Airflow reads all of them for each run."""
    yield
    for each in DAGS.glob("*.py"):
        each.unlink()


@pytest.fixture
def registry() -> Iterator[LocalRegistry]:
    """An empty registry."""
    with LocalRegistry() as running:
        yield running


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define an Airflow connection of type modelkit."""

    def define(host: str, *, conn_id: str = "modelkit_default", **fields: Any) -> None:
        name, _, port = host.partition(":")
        said = {"conn_type": "modelkit", "host": name, **fields}
        if port:
            said["port"] = int(port)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(said))

    return define


@pytest.fixture
def connected(registry: LocalRegistry, connect: Callable[..., None]) -> LocalRegistry:
    """An empty registry that the default connection names."""
    connect(registry.host)
    return registry


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder to pack."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "train.csv").write_text("x,y\n1,2\n")
    return folder
