"""What happens at `import mlflow`: little, and nothing that can break it.

MLflow reads entry points once, so what is about that runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import mlflow
import pytest
from kitline_mlflow.repo import ModelkitArtifactRepository
from kitline_mlflow.repo_oci import oci_artifact_repository
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from pathlib import Path

ORACLE = """\
from mlflow.store.artifact.artifact_repo import ArtifactRepository

class OCIObjectStorageArtifactRepository(ArtifactRepository):
    def __init__(self, artifact_uri, *args, **kwargs):
        super().__init__(artifact_uri, *args, **kwargs)
        self.bucket, self.namespace = artifact_uri.split("/")[2].split("@")
"""
ENTRY = "[mlflow.artifact_repository]\noci=oci_mlflow:OCIObjectStorageArtifactRepository\n"


def run(program: str, *, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def oracle(folder: Path, module: str = ORACLE) -> Path:
    """Install a distribution named as Oracle's into a folder."""
    info = folder / "oci_mlflow-1.0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: oci-mlflow\nVersion: 1.0.3\n")
    (info / "entry_points.txt").write_text(ENTRY)
    (folder / "oci_mlflow.py").write_text(module)
    return folder


def test_importing_mlflow_loads_tiny_modules_and_nothing_in_the_environment_breaks_it() -> None:
    """No registry, no home, settings that cannot be read: none of it is looked at."""
    program = (
        "import sys, warnings\n"
        "warnings.filterwarnings('error', '.*(artifact repository|context|constructor)')\n"
        "import mlflow\n"
        "from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository\n"
        "get_artifact_repository('modelkit://reg.invalid/a@sha256:x')\n"
        "assert mlflow.data.load_modelkit\n"
        "ours = ('kitline', 'oras', 'pluggy')\n"
        "print(*sorted(each for each in sys.modules if each.startswith(ours)))"
    )
    environment = {
        "KITLINE_REGISTRY": "reg.invalid",
        "KITLINE_HOME": "/nowhere/at/all",
        "KITLINE_CONFIG": "/no/such/file",
        "KITLINE_CACHE_SIZE": "much",
        "KITLINE_MLFLOW_ALLOWED_REGISTRIES": "\\",
        "KITLINE_INPUT_DIGEST": "\\",
    }
    assert run(program, environment=environment).split() == [
        "kitline_mlflow",
        "kitline_mlflow.dataset",
        "kitline_mlflow.repo",
        "kitline_mlflow.repo_oci",
        "kitline_mlflow.run_context",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["first", "last"])
def test_oracles_addresses_stay_oracles(tmp_path: Path, order: str) -> None:
    """MLflow keeps the last plugin that it finds for a scheme, so both orders are tried."""
    place = oracle(tmp_path / "site")
    program = (
        "import sys\n"
        f"place = {str(place)!r}\n"
        f"sys.path.insert({0 if order == 'first' else 'len(sys.path)'}, place)\n"
        "from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository\n"
        "found = get_artifact_repository('oci://bucket@namespace/path', tracking_uri='t')\n"
        "print(type(found).__name__, found.bucket, found.namespace, found.tracking_uri)\n"
        "print(type(get_artifact_repository('modelkit://reg.example/a')).__name__)\n"
    )
    assert run(program).splitlines() == [
        "OCIObjectStorageArtifactRepository bucket namespace t",
        "ModelkitArtifactRepository",
    ]


@pytest.mark.parametrize(
    ("host", "is_oracles"),
    [
        ("reg.example", False),
        ("reg:5000", False),
        ("localhost", False),
        ("bucket@namespace", True),
        ("bucket@namespace.example:1", True),
    ],
)
def test_oracles_plugin_is_given_its_own_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_oracles: bool
) -> None:
    alone = oci_artifact_repository(f"oci://{host}/a", tracking_uri="t")
    assert isinstance(alone, ModelkitArtifactRepository)
    monkeypatch.delitem(sys.modules, "oci_mlflow", raising=False)
    monkeypatch.syspath_prepend(oracle(tmp_path / "site"))
    beside = oci_artifact_repository(f"oci://{host}/a", tracking_uri="t")
    assert isinstance(beside, ModelkitArtifactRepository) != is_oracles
    assert (beside.artifact_uri, beside.tracking_uri) == (f"oci://{host}/a", "t")


def test_oracles_addresses_without_its_plugin_are_refused_when_used() -> None:
    with pytest.raises(MlflowException, match="holds '@'"):
        mlflow.artifacts.download_artifacts("oci://bucket@namespace/path")
