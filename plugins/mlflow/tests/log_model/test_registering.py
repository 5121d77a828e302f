"""Versions of registered models: three kinds of source, each once per digest, and their aliases."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import kitline_mlflow
import mlflow
import pytest
from kitline.errors import UsageError, WriteBackFailed
from kitline.plugin import PinnedReference
from kitline_mlflow.register import register_version
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from kitline_mlflow.log_model_info import ModelKitInfo
    from mlflow import MlflowClient

    from conftest import Fitted, Tracked

PIP = ["scikit-learn"]


def log(ambient: Tracked, iris: Fitted, **more: object) -> ModelKitInfo:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        return kitline_mlflow.log_model(
            iris.model,
            name="m",
            registered_model_name="iris",
            pip_requirements=PIP,
            **more,  # type: ignore[arg-type] # each test gives what fits
        )


def predict(uri: str, iris: Fitted) -> list[int]:
    return [int(each) for each in mlflow.pyfunc.load_model(uri).predict(iris.data)]


@pytest.mark.parametrize("kind", ["model", "modelkit", "pointer"])
def test_each_kind_of_source_loads_by_alias_and_is_found_by_digest(
    ambient: Tracked, iris: Fitted, client: MlflowClient, kind: str
) -> None:
    info = log(ambient, iris, register_as=kind, aliases=["champion"])
    assert info.version
    source = info.version.source
    assert {
        "model": source == info.model_uri,
        "modelkit": source == f"modelkit:///{info.reference}/model",
        "pointer": source.startswith("models:/m-") and source != info.model_uri,
    }[kind]
    (found,) = client.search_model_versions(f"tags.`kitline.digest` = '{info.digest}'")
    assert (found.name, int(found.version)) == ("iris", info.registered_model_version)
    assert found.tags["kitline.reference"] == str(info.reference)
    assert predict("models:/iris@champion", iris) == iris.predictions


def test_the_version_is_made_after_the_push_and_not_by_the_flavor(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    log(ambient, iris, register_as="modelkit")
    assert len(client.search_model_versions("name='iris'")) == 1


def test_a_logged_model_lists_its_versions_as_mlflow_does_it(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    info = log(ambient, iris)
    theirs = mlflow.register_model(info.model_uri, "theirs")
    listed = client.get_logged_model(str(info.model_id)).tags["mlflow.modelVersions"]
    assert '"name": "iris"' in listed
    assert '"name": "theirs"' in listed
    assert listed.count('"name": "iris"') == 1
    ours = client.get_model_version("iris", "1")
    assert (ours.source, ours.status) == (theirs.source, theirs.status)


def test_registering_the_same_digest_again_makes_no_second_version(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    info = log(ambient, iris)
    again = kitline_mlflow.log_modelkit(
        model_id=info.model_id, registered_model_name="iris", aliases=["champion"]
    )
    assert again.version
    assert (again.version.version, again.version.existed) == ("1", True)
    assert len(client.search_model_versions("name='iris'")) == 1
    assert client.get_model_version_by_alias("iris", "champion").version == 1


class Refusing:
    """An MLflow client whose server takes no `modelkit://` source, as some managed ones do."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def create_model_version(self, name: str, source: str, **more: object) -> object:
        if source.startswith("modelkit:"):
            raise MlflowException.invalid_parameter_value("no such source here")
        return self._client.create_model_version(name, source, **more)


def test_a_server_that_refuses_the_source_gets_a_pointer_and_the_result_says_so(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(iris.model, name="m", pip_requirements=PIP)
    pinned = PinnedReference.parse(str(info.reference))
    refusing: object = Refusing(client)
    made = [
        register_version(
            refusing,  # type: ignore[arg-type] # all of a client that is called
            "iris",
            pinned,
            model_id=info.model_id,
            register_as="modelkit",
            aliases=["champion"],
        )
        for _ in range(2)
    ]
    assert [each.kind for each in made] == ["pointer", "pointer"]
    assert made[0].warnings == (
        "the server takes no modelkit:// source, so 'iris' got a pointer: no such source here",
    )
    assert (made[0].version, made[1].existed) == (made[1].version, True)
    assert predict("models:/iris@champion", iris) == iris.predictions


def test_a_version_without_a_logged_model_cannot_be_of_kind_model(client: MlflowClient) -> None:
    pinned = PinnedReference.parse("iris@sha256:" + "0" * 64)
    with pytest.raises(UsageError, match="needs the id of a logged model"):
        register_version(client, "iris", pinned)


def test_a_failed_registration_is_a_warning_that_names_what_to_run(
    ambient: Tracked, iris: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with warnings.catch_warnings(record=True, action="always") as said:
        info = log(ambient, iris, aliases=["champion"])
    assert info.digest
    assert info.version is None
    assert (
        f"run 'kitline export {info.reference} mlflow -o register=iris -o alias=champion"
        f" -o tracking_uri={ambient.uri}'" in str(said[-1].message)
    )
    assert "'iris' got no version: " in str(said[-1].message)


def test_write_back_require_makes_a_failed_registration_an_error(
    ambient: Tracked, iris: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("KITLINE_WRITE_BACK", "require")
    with pytest.raises(WriteBackFailed, match=r"pushed iris/m@sha256:.* but not written back: "):
        log(ambient, iris)


def test_keep_registry_stores_the_weights_once_and_loads_by_alias(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    info = log(ambient, iris, keep="registry", aliases=["champion"])
    model = client.get_logged_model(str(info.model_id))
    names = sorted(each.name for each in Path(model.artifact_location).iterdir())
    assert names == ["MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"]
    assert str(model.status) == "READY"
    assert set(info.flavors) == {"modelkit", "python_function"}
    assert predict("models:/iris@champion", iris) == iris.predictions
    assert predict(info.model_uri, iris) == iris.predictions
    assert kitline_mlflow.load_model(info.model_uri).C == iris.model.C


def test_keep_registry_leaves_the_whole_model_in_mlflow_if_the_push_fails(
    ambient: Tracked, iris: Fitted, client: MlflowClient
) -> None:
    with pytest.warns(UserWarning, match="go on with 'kitline import"):
        info = log(
            ambient,
            iris,
            keep="registry",
            reference="127.0.0.1:1/iris:v1",
            on_push_error="warn",
        )
    assert info.digest is None
    assert "sklearn" in info.flavors
    assert predict(info.model_uri, iris) == iris.predictions
    assert str(client.get_logged_model(str(info.model_id)).status) == "READY"
