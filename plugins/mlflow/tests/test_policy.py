"""A server process reads only where its administrator allows: anybody may register a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import mlflow
import pytest
from kitline.errors import InvalidSetting
from kitline.testing import BasicAuth, Fault, LocalRegistry
from kitline_mlflow.policy import allowed_registries
from kitline_mlflow.uri import ModelkitURI
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Tracked

ALLOWED = "KITLINE_MLFLOW_ALLOWED_REGISTRIES"
REFUSED = "an MLflow server asks only the registries in KITLINE_MLFLOW_ALLOWED_REGISTRIES"


@pytest.fixture(name="served", autouse=True)
def _served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mark this process as `mlflow server` marks its workers."""
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "./mlruns")


@pytest.fixture(name="forgotten")
def _forgotten() -> Iterator[None]:
    """MLflow's tracking address is one for the process: put it back."""
    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(name="kit")
def _kit(tmp_path: Path, registry: LocalRegistry) -> str:
    folder = make_kit(tmp_path / "kit", "model: {name: net, path: net.bin}\n")
    return f"modelkit://{kitline.pack(folder, f'{registry.host}/demo:v1')}"


def make_kit(folder: Path, more: str) -> Path:
    folder.mkdir()
    (folder / "net.bin").write_text("weights")
    (folder / "Kitfile").write_text(f"manifestVersion: 1.0.0\npackage: {{name: demo}}\n{more}")
    return folder


def download(uri: str) -> str:
    return str(mlflow.artifacts.download_artifacts(uri))


@pytest.mark.parametrize("scheme", ["modelkit", "MODELKIT", "oci"])
def test_no_registry_is_asked_by_default_in_any_method(
    kit: str, registry: LocalRegistry, tmp_path: Path, scheme: str
) -> None:
    uri = kit.replace("modelkit", scheme, 1)
    registry.forget()
    repository = get_artifact_repository(uri)
    for call in (
        lambda: repository.list_artifacts(None),
        lambda: repository.list_artifacts("model"),
        lambda: repository.download_artifacts(""),
        lambda: repository.download_artifacts("model", str(tmp_path)),
        lambda: repository._download_file("model", str(tmp_path / "x")),
    ):
        with pytest.raises(MlflowException, match=REFUSED) as caught:
            call()
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert registry.count() == 0


def test_what_is_in_the_cache_is_refused_all_the_same(
    kit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("_MLFLOW_SERVER_ARTIFACT_ROOT")
    download(f"{kit}/model")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "")
    with pytest.raises(MlflowException, match=REFUSED):
        download(f"{kit}/model")


def test_a_listed_registry_is_asked(
    kit: str, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, f"reg.example, {registry.host.upper()}")
    assert download(f"{kit}/model").endswith("/model")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("", ()),
        (" , ", ()),
        ("Reg.Example", ("reg.example", "reg.example:443")),
        ("reg.example:443", ("reg.example", "reg.example:443")),
        ("reg.example:5000,a.example:80", ("reg.example:5000", "a.example:80")),
        ("[::1]", ("[::1]", "[::1]:443")),
        ("[::1]:5000", ("[::1]:5000",)),
    ],
)
def test_hosts_are_compared_in_lower_case_with_their_port(
    monkeypatch: pytest.MonkeyPatch, listed: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv(ALLOWED, listed)
    assert allowed_registries() == expected


@pytest.mark.parametrize(
    "listed",
    ["https://reg.example", "reg.example/team", "user@reg.example", "reg.example:x", "*",
     "reg.example\\.evil", "reg example", "reg.example:99999", "reg.example,-"],
)  # fmt: skip
def test_a_malformed_list_allows_nothing(
    kit: str, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setenv(ALLOWED, listed)
    with pytest.raises(InvalidSetting, match=r"is not 'host\[:port\]'"):
        allowed_registries()
    with pytest.raises(MlflowException, match=ALLOWED):
        download(f"{kit}/model")


@pytest.mark.parametrize(
    "listed", ["127.0.0.1", "localhost", "127.0.0.1:1", "evil.example", "0.0.0.0"]
)
def test_another_port_or_name_of_the_same_machine_is_not_listed(
    kit: str, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setenv(ALLOWED, listed)
    with pytest.raises(MlflowException, match=REFUSED):
        download(f"{kit}/model")


def test_the_local_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: LocalRegistry
) -> None:
    monkeypatch.setenv(ALLOWED, f"ns,localhost,{registry.host}")
    kit = kitline.pack(make_kit(tmp_path / "kit", "docs: [{path: net.bin}]\n"), "ns/demo:v1")
    uri = ModelkitURI(reference=kit.reference).text
    for asked in (uri, uri.replace("modelkit:///", "modelkit:/"), "modelkit:///ns/demo:v1"):
        with pytest.raises(MlflowException, match="does not open its own local store"):
            download(asked)


@pytest.mark.parametrize("base", ["{other}/secret:v1", "ns/secret:v1", "oci:layout"])
def test_a_listed_kit_leads_to_no_other_place(
    tmp_path: Path, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    """A base model may lie in another kit, so a manifest is one more way to send a server off."""
    with LocalRegistry() as other:
        secret = make_kit(tmp_path / "secret", "model: {name: net, path: net.bin}\n")
        kitline.pack(secret, f"{other.host}/secret:v1")
        kitline.pack(secret, "ns/secret:v1")
        kitline.copy("ns/secret:v1", f"oci:{tmp_path / 'layout'}")
        target = base.format(other=other.host)
        folder = make_kit(
            tmp_path / "kit", f"model: {{name: net, path: '{target}'}}\ndocs: [{{path: net.bin}}]\n"
        )
        kit = kitline.pack(folder, f"{registry.host}/demo:v1")
        other.forget()
        monkeypatch.setenv(ALLOWED, registry.host)
        for path in ("", "/model", "/docs"):
            with pytest.raises(MlflowException, match=r"refused|not allowed by policy"):
                download(f"modelkit://{kit.reference}{path}")
        assert other.count() == 0


def test_plain_http_is_spoken_to_nobody_but_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kitline_mlflow.policy import settings_for

    monkeypatch.setenv(ALLOWED, "reg.example:5000")
    monkeypatch.setenv("KITLINE_PLAIN_HTTP", "reg.example:5000")
    uri = ModelkitURI.parse("modelkit://reg.example:5000/demo:v1")
    settings = settings_for(uri)
    assert settings.speaks_plain_http("reg.example:5000") is None
    assert not settings.policy.allow_plain_http


def test_credentials_go_to_no_host_that_is_not_listed(
    tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalRegistry(auth=BasicAuth()) as private:
        kitline.login(private.host, "ci", "secret")
        kit = kitline.pack(
            make_kit(tmp_path / "kit", "docs: [{path: net.bin}]\n"), f"{private.host}/demo:v1"
        )
        private.forget()
        with pytest.raises(MlflowException, match=REFUSED):
            download(f"modelkit://{kit.reference}")
        assert (private.count(), private.authorizations) == (0, [])
        monkeypatch.setenv(ALLOWED, private.host)
        assert download(f"modelkit://{kit.reference}/docs")


@pytest.mark.usefixtures("forgotten")
def test_a_version_and_an_experiment_may_name_any_place_and_the_server_goes_to_none(
    tracked: Tracked, kit: str, registry: LocalRegistry
) -> None:
    mlflow.set_tracking_uri(tracked.uri)
    client = MlflowClient(tracked.uri, tracked.uri)
    client.create_registered_model("iris")
    version = client.create_model_version("iris", source=f"{kit}/model")
    experiment = client.create_experiment("evil", artifact_location=kit)
    run = client.create_run(experiment)
    registry.forget()
    for call in (
        lambda: download(f"models:/iris/{version.version}"),
        lambda: client.list_artifacts(run.info.run_id),
        lambda: client.list_artifacts(run.info.run_id, "a"),
    ):
        with pytest.raises(MlflowException, match=REFUSED):
            call()
    with pytest.raises(MlflowException, match="Failed to download"):  # MLflow hides the reason
        client.download_artifacts(run.info.run_id, "a")
    assert registry.count() == 0


def test_a_listed_registry_does_not_lead_to_machines_that_only_the_server_sees(
    kit: str, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, registry.host)
    with LocalRegistry(content=registry.content) as inner:
        registry.inject(Fault.redirect(inner.host))
        with pytest.raises(MlflowException, match=f"refused to connect to {inner.host}"):
            download(f"{kit}/model")
        assert inner.count() == 0
        monkeypatch.setenv(ALLOWED, f"{registry.host},{inner.host}")
        assert download(f"{kit}/model")


def test_a_token_service_among_private_addresses_gets_no_request(
    kit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del kit
    with LocalRegistry() as inner, LocalRegistry() as registry:
        realm = f'Bearer realm="{inner.url}/token",service="x"'
        registry.inject(Fault.answer(401, headers={"WWW-Authenticate": realm}, times=None))
        monkeypatch.setenv(ALLOWED, registry.host)
        with pytest.raises(MlflowException, match=f"refused to connect to {inner.host}"):
            download(f"modelkit://{registry.host}/demo:v1")
        assert inner.count() == 0
