"""How far an address of ours reaches in MLflow: each row of the reference's table as a test.

Once with a database and, marked slow, with a real server. The model is real, the kit is in a
registry, and what is loaded predicts what the trained model predicts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import mlflow
import pytest
from click.testing import CliRunner
from kitline.plugin import PinnedReference
from kitline.testing.fixtures import distribution_3
from kitline_mlflow.uri import model_source
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from sklearn.datasets import load_iris

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing import LocalRegistry
    from kitline.testing.processes import RunningRegistry

    from conftest import Tracked

__all__ = ["distribution_3"]

KITFILE = """\
manifestVersion: 1.0.0
package: {name: iris}
model: {name: iris, path: iris-model}
datasets: [{name: rows, path: rows.csv}]
"""
OUTSIDE = {
    "UV_CACHE_DIR": str(Path.home() / ".cache" / "uv"),
    **{
        name: value
        for name, value in os.environ.items()
        if name.startswith(("UV_", "SSL_CERT_")) or name.lower().endswith("_proxy")
    },
}
"""What tests take from the environment that they are otherwise kept from."""
ROWS = load_iris(return_X_y=True)[0][::10]


@pytest.fixture(name="kit")
def _kit(template: Tracked, tmp_path: Path, registry: LocalRegistry) -> str:
    """Pack the template's model with data beside it; return the source to store in MLflow."""
    folder = tmp_path / "kit"
    shutil.copytree(template.model_folder, folder / "iris-model")
    (folder / "rows.csv").write_text("1,2\n")
    (folder / "Kitfile").write_text(KITFILE)
    kit = kitline.pack(folder, f"{registry.host}/team/iris:v1")
    assert isinstance(kit.reference, PinnedReference)
    return model_source(kit.reference)


@pytest.fixture(name="client", params=["database", pytest.param("server", marks=pytest.mark.slow)])
def _client(request: pytest.FixtureRequest) -> Iterator[MlflowClient]:
    """Make a database or a real server the ambient one."""
    if request.param == "database":
        uri = request.getfixturevalue("tracked").uri
    else:
        uri = request.getfixturevalue("mlflow_server").url
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield MlflowClient(uri, uri)
    mlflow.set_tracking_uri(before)


@pytest.fixture(name="expected")
def _expected(template: Tracked) -> list[int]:
    """What the trained model predicts."""
    return list(mlflow.pyfunc.load_model(str(template.model_folder)).predict(ROWS))


def registered(client: MlflowClient, source: str, name: str) -> str:
    """Register a source under a name of its own; return `models:/name/version`."""
    name = f"{name}-{os.urandom(4).hex()}"
    client.create_registered_model(name)
    version = client.create_model_version(name, source, await_creation_for=0)
    assert client.get_model_version(name, version.version).source == source
    return f"models:/{name}/{version.version}"


def predicted(uri: str) -> list[int]:
    return list(mlflow.pyfunc.load_model(uri).predict(ROWS))


def test_artifacts_are_downloaded_listed_and_read(kit: str, tmp_path: Path) -> None:
    found = mlflow.artifacts.download_artifacts(kit, dst_path=str(tmp_path / "out"))
    assert (Path(found) / "MLmodel").is_file()
    names = {each.path for each in mlflow.artifacts.list_artifacts(artifact_uri=kit)}
    assert "model/MLmodel" in names
    assert "python_function" in mlflow.artifacts.load_text(f"{kit}/MLmodel")


def test_the_command_line_downloads(kit: str, tmp_path: Path) -> None:
    from mlflow.store.artifact.cli import commands

    for options in ([], ["-d", str(tmp_path / "out")]):
        done = CliRunner().invoke(commands, ["download", "-u", kit, *options])
        assert done.exit_code == 0, done.output
        assert (Path(done.stdout.split()[-1]) / "MLmodel").is_file()


def test_models_load_in_every_way(kit: str, expected: list[int]) -> None:
    assert predicted(kit) == expected
    assert list(mlflow.sklearn.load_model(kit).predict(ROWS)) == expected
    assert "sklearn" in Model.load(kit).flavors


def test_a_kit_by_its_digest_alone_loads_as_its_model(
    kit: str, expected: list[int], registry: LocalRegistry
) -> None:
    bare = kit.removesuffix("/model")
    registry.forget()
    assert predicted(bare) == expected
    data = kitline.inspect(bare.partition("://")[2]).kit.layers[1][1].digest
    assert registry.count("GET", str(data)) == 0


@pytest.mark.slow
def test_a_fresh_process_loads_by_digest(kit: str, expected: list[int]) -> None:
    program = (
        "import sys, mlflow; from sklearn.datasets import load_iris\n"
        "rows = load_iris(return_X_y=True)[0][::10]\n"
        "print([int(each) for each in mlflow.pyfunc.load_model(sys.argv[1]).predict(rows)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, kit], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == expected


def test_model_info_needs_the_server_that_logged_the_model(
    kit: str, tracked: Tracked, client: MlflowClient, request: pytest.FixtureRequest
) -> None:
    """MLflow asks the ambient server for the `model_id` in MLmodel; loading does not."""
    if client.tracking_uri == tracked.uri:
        assert mlflow.models.get_model_info(kit).model_id == tracked.model_id
        client.delete_logged_model(tracked.model_id)
    with pytest.raises(MlflowException, match="not found"):
        mlflow.models.get_model_info(kit)
    assert predicted(registered(client, kit, "info"))


def test_model_info_without_model_id_works_on_any_server(
    template: Tracked, client: MlflowClient, tmp_path: Path, registry: LocalRegistry
) -> None:
    folder = tmp_path / "portable"
    shutil.copytree(template.model_folder, folder / "model")
    lines = (folder / "model" / "MLmodel").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("model_id", "model_uuid", "run_id"))]
    (folder / "model" / "MLmodel").write_text("".join(kept))
    (folder / "Kitfile").write_text(KITFILE.replace("iris-model", "model").rpartition("data")[0])
    kit = kitline.pack(folder, f"{registry.host}/team/portable:v1")
    found = mlflow.models.get_model_info(f"modelkit://{kit.reference}/model")
    assert "sklearn" in found.flavors
    via = registered(client, f"modelkit://{kit.reference}/model", "portable")
    assert "sklearn" in mlflow.models.get_model_info(via).flavors


def test_sources_are_registered_as_they_are_and_load_by_version_and_alias(
    kit: str, client: MlflowClient, expected: list[int]
) -> None:
    uri = registered(client, kit, "iris")
    name = uri.split("/")[1]
    client.set_registered_model_alias(name, "champion", "1")
    assert predicted(uri) == expected
    assert predicted(f"models:/{name}@champion") == expected
    # MLflow writes beside the model that it downloads by name; the next one does not see that
    assert predicted(kit) == expected
    found = mlflow.artifacts.download_artifacts(kit)
    assert not (Path(found) / "registered_model_meta").exists()


def test_register_model_takes_a_digest(kit: str, client: MlflowClient) -> None:
    name = f"fluent-{os.urandom(4).hex()}"
    version = mlflow.register_model(kit, name, await_registration_for=0)
    assert version.source == kit
    assert client.get_model_version_download_uri(name, version.version) == kit


def test_a_copied_version_points_at_the_first_and_loads(
    kit: str, client: MlflowClient, expected: list[int]
) -> None:
    uri = registered(client, kit, "staging")
    copied = client.copy_model_version(uri, f"prod-{os.urandom(4).hex()}")
    assert copied.source == uri
    assert predicted(f"models:/{copied.name}/{copied.version}") == expected


def test_versions_are_found_by_digest(kit: str, client: MlflowClient) -> None:
    uri = registered(client, kit, "found")
    (found,) = client.search_model_versions(f"source_path='{kit}'")
    assert f"models:/{found.name}/{found.version}" == uri


def test_requirements_of_a_digest_cannot_be_changed(kit: str) -> None:
    with pytest.raises(MlflowException, match="a kit never changes"):
        mlflow.models.update_model_requirements(kit, "add", ["pandas"])


def test_a_dockerfile_holds_the_model(kit: str, tmp_path: Path) -> None:
    from mlflow.models.cli import generate_dockerfile

    words = ["-m", kit, "-d", str(tmp_path / "image"), "--env-manager", "local"]
    done = CliRunner().invoke(generate_dockerfile, words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "image" / "Dockerfile").is_file()
    (model,) = (tmp_path / "image").rglob("MLmodel")
    assert os.access(model, os.W_OK)


@pytest.mark.registry
@pytest.mark.slow
def test_a_real_registry_serves_the_model(
    kit: str, distribution_3: RunningRegistry, expected: list[int], registry: LocalRegistry
) -> None:
    pinned = kit.removeprefix("modelkit://").removesuffix("/model")
    there = f"{distribution_3.host}/reach/iris"
    kitline.copy(pinned, f"{there}:v1")
    registry.stop()
    assert predicted(f"modelkit://{there}@{pinned.partition('@')[2]}/model") == expected
    assert predicted(f"modelkit://{there}:v1/model") == expected


@pytest.mark.slow
def test_a_model_predicts_in_a_process_of_its_own(
    kit: str, tmp_path: Path, expected: list[int]
) -> None:
    out = tmp_path / "out.json"
    mlflow.models.predict(kit, ROWS, env_manager="local", output_path=str(out))
    assert json.loads(out.read_text())["predictions"] == expected


@pytest.mark.slow  # installs what the model needs: 90 packages, half a minute
def test_a_model_predicts_in_an_environment_that_uv_makes_for_it(
    template: Tracked,
    tmp_path: Path,
    expected: list[int],
    registry: LocalRegistry,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The files are fetched before, so the environment of the model has no kitline in it."""
    folder = tmp_path / "kit"
    shutil.copytree(template.model_folder, folder / "iris-model")
    needed = (folder / "iris-model/requirements.txt").read_text()
    (folder / "iris-model/requirements.txt").write_text(f"{needed}\nskops\n")
    (folder / "Kitfile").write_text(KITFILE.partition("datasets")[0])
    kit = kitline.pack(folder, f"{registry.host}/team/iris:uv")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # our uv
    monkeypatch.setenv("PATH", programs)
    for name, value in OUTSIDE.items():  # how this machine reaches its package index
        monkeypatch.setenv(name, value)
    out = tmp_path / "out.json"
    mlflow.models.predict(f"modelkit://{kit}/model", ROWS, env_manager="uv", output_path=str(out))
    assert json.loads(out.read_text())["predictions"] == expected
    installed = {line for line in capfd.readouterr().err.splitlines() if line.startswith(" + ")}
    assert any(each.startswith(" + mlflow==") for each in installed)
    assert not any("kitline" in each for each in installed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:X has feature names")  # MLflow names the columns of an array
def test_a_digest_is_evaluated(kit: str, client: MlflowClient) -> None:
    data, labels = load_iris(return_X_y=True)
    mlflow.set_experiment(f"evaluate-{os.urandom(4).hex()}")
    with mlflow.start_run():
        found: Any = mlflow.models.evaluate(
            kit,
            data,
            targets=labels,
            model_type="classifier",
            evaluator_config={"log_explainer": False, "log_model_explainability": False},
        )
    assert found.metrics["accuracy_score"] > 0.9
