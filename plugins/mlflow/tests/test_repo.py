"""The artifact repository as MLflow calls it: addresses in two halves, real kits, no writing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import mlflow
import pytest
from kitline.testing import Fault
from kitline_mlflow.repo import ModelkitArtifactRepository
from kitline_mlflow.uri import ModelkitURI
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

HEX = "a" * 64
KITFILE = """\
manifestVersion: 1.0.0
package: {name: demo}
model: {name: net, path: net}
datasets: [{name: train, path: data/train.csv}]
docs: [{path: README.md}]
"""


@pytest.fixture(name="kit")
def _kit(tmp_path: Path, registry: LocalRegistry) -> str:
    """Push a small kit that is no model of MLflow's; return its address."""
    folder = tmp_path / "kit"
    (folder / "net" / "deep" / "er").mkdir(parents=True)
    (folder / "net" / "a#b c?.bin").write_text("odd")
    (folder / "net" / ".hidden").write_text("hidden")
    (folder / "net" / "deep" / "er" / "w.bin").write_text("weights")
    (folder / "net" / "empty").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "train.csv").write_text("1,2\n")
    (folder / "README.md").write_text("# Demo\n")
    (folder / "Kitfile").write_text(KITFILE)
    return f"modelkit://{kitline.pack(folder, f'{registry.host}/ns/demo:v1')}"


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


NET = [".hidden", "a#b c?.bin", "deep/er/w.bin"]


def test_the_entry_point_is_found_under_its_scheme() -> None:
    for scheme in ("modelkit", "MODELKIT"):
        found = get_artifact_repository(f"{scheme}://reg.example/a", tracking_uri="t")
        assert isinstance(found, ModelkitArtifactRepository)
        assert (found.artifact_uri, found.tracking_uri) == (f"{scheme}://reg.example/a", "t")


@pytest.mark.parametrize("text", ["", "modelkit://", "modelkit:", "\0", "modelkit://a?b#c", "%"])
def test_the_constructor_never_raises(text: str) -> None:
    assert ModelkitArtifactRepository(text, None, registry_uri=None).artifact_uri == text


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("/net", NET),
        ("/model", NET),
        ("/model/", NET),
        ("/model/deep", ["er/w.bin"]),
        ("/datasets", ["data/train.csv"]),
        ("/data", ["train.csv"]),
        ("", ["Kitfile", "README.md", "data/train.csv", *(f"net/{each}" for each in NET)]),
    ],
)
def test_folders_are_downloaded_whole(
    kit: str, tmp_path: Path, after: str, expected: list[str]
) -> None:
    seen = Path(mlflow.artifacts.download_artifacts(kit + after))
    copied = Path(mlflow.artifacts.download_artifacts(kit + after, dst_path=str(tmp_path / "out")))
    assert files(seen) == files(copied) == expected
    for each in (seen, copied):
        assert each.is_absolute()
        assert not {":", "@"} & set(each.name)
    assert tmp_path / "out" in (copied, *copied.parents)


def test_a_relative_destination_gives_an_absolute_path(kit: str) -> None:
    os.mkdir("here")
    found = mlflow.artifacts.download_artifacts(f"{kit}/model/deep", dst_path="here")
    assert found == str(Path.cwd() / "here" / "deep")


def test_empty_folders_are_made_too(kit: str, tmp_path: Path) -> None:
    for place in (None, str(tmp_path)):
        found = Path(mlflow.artifacts.download_artifacts(f"{kit}/model", dst_path=place))
        assert (found / "empty").is_dir()


def test_one_file_is_downloaded_or_read(kit: str, tmp_path: Path) -> None:
    found = mlflow.artifacts.download_artifacts(f"{kit}/data/train.csv", dst_path=str(tmp_path))
    assert Path(found) == tmp_path / "train.csv"
    assert Path(found).read_text() == "1,2\n"
    assert mlflow.artifacts.load_text(f"{kit}/model/deep/er/w.bin") == "weights"
    assert Path(mlflow.artifacts.download_artifacts(f"{kit}/Kitfile")).name == "Kitfile"


def listed(uri: str) -> list[tuple[str, bool]]:
    return [(each.path, each.is_dir) for each in mlflow.artifacts.list_artifacts(artifact_uri=uri)]


def test_listings_name_paths_that_can_be_asked_for_again(kit: str) -> None:
    base = kit.rpartition("/")[2]
    top = listed(kit)
    assert top == [
        (f"{base}/Kitfile", False),
        (f"{base}/README.md", False),
        (f"{base}/data", True),
        (f"{base}/net", True),
    ]
    assert listed(f"{kit}/model") == [
        ("model/.hidden", False),
        ("model/a#b c?.bin", False),
        ("model/deep", True),
        ("model/empty", True),
    ]
    repository = get_artifact_repository(kit.rpartition("/")[0])
    for path, is_folder in top:
        found = Path(repository.download_artifacts(path))
        assert found.is_dir() == is_folder


def test_the_whole_address_may_come_at_once_as_from_a_model_version(kit: str) -> None:
    repository = get_artifact_repository(f"{kit}/model")
    names = [(each.path, each.file_size) for each in repository.list_artifacts(None)]
    assert names == [(".hidden", 6), ("a#b c?.bin", 3), ("deep", None), ("empty", None)]
    assert files(Path(repository.download_artifacts(""))) == NET
    assert [each.path for each in repository.list_artifacts("deep")] == ["deep/er"]
    repository._download_file("deep/er/w.bin", "w.bin")
    assert Path("w.bin").read_text() == "weights"


def test_a_file_and_a_missing_path_list_nothing(kit: str) -> None:
    assert listed(f"{kit}/model/none") == []
    assert listed(f"{kit}/data/train.csv") == []
    assert listed(f"{kit}/prompts") == []


def test_listing_fetches_no_more_than_it_must(kit: str, registry: LocalRegistry) -> None:
    layers = [each.digest for each in kitline.inspect(kit.partition("://")[2]).kit.manifest.layers]
    registry.forget()
    listed(f"{kit}/model")
    assert [registry.count("GET", str(each)) for each in layers] == [1, 0, 0]


def test_the_local_store_is_read_without_a_host(tmp_path: Path, kit: str) -> None:
    del kit
    local = kitline.pack(tmp_path / "kit", "ns/demo:v1")
    uri = ModelkitURI(reference=local.reference).text
    assert uri.startswith("modelkit:///ns/demo@sha256:")
    assert files(Path(mlflow.artifacts.download_artifacts(f"{uri}/model"))) == NET
    one = ModelkitURI(reference=kitline.pack(tmp_path / "kit", "demo:v1").reference).text
    assert "README.md" in files(Path(mlflow.artifacts.download_artifacts(one)))
    assert listed(f"{one}/data") == [("data/train.csv", False)]


def test_oci_addresses_are_read_alike(kit: str) -> None:
    uri = f"oci{kit.removeprefix('modelkit')}/model"
    assert files(Path(mlflow.artifacts.download_artifacts(uri))) == NET


@pytest.mark.parametrize(
    "uri",
    [
        "modelkit:/reg.example:5000/ns/iris@sha256:" + HEX,
        "modelkit:reg.example/ns/iris@sha256:" + HEX,
        "modelkit://iris@sha256:" + HEX,
        "modelkit://user:secret@reg.example/iris@sha256:" + HEX,
        f"modelkit://reg.example/ns/iris@sha256:{HEX}?x=1",
        f"modelkit://reg.example/ns/iris@sha256:{HEX}#model",
        f"modelkit://reg.example/ns/iris@sha256:{HEX}/%2e%2e/%2e%2e",
        f"modelkit://reg.example/ns/iris@sha256:{HEX}/../x",
        f"modelkit://reg.example/ns/iris@sha256:{HEX}evil",
        "modelkit://reg.example/ns/iris",
    ],
)
def test_every_method_refuses_a_malformed_address_and_shows_no_password(uri: str) -> None:
    calls = (
        mlflow.artifacts.download_artifacts,
        lambda uri: mlflow.artifacts.list_artifacts(artifact_uri=uri),
        lambda uri: get_artifact_repository(uri)._download_file("x", "x"),
        mlflow.pyfunc.load_model,
    )
    for call in calls:
        with pytest.raises(MlflowException, match="invalid reference") as caught:
            call(uri)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "%2E%2E/x", "a\\b"])
def test_paths_that_lead_elsewhere_are_refused(kit: str, tmp_path: Path, path: str) -> None:
    repository = get_artifact_repository(f"{kit}/model")
    for call in (
        lambda: repository.list_artifacts(path),
        lambda: repository.download_artifacts(path, str(tmp_path)),
        lambda: repository._download_file(path, str(tmp_path / "x")),
    ):
        with pytest.raises(MlflowException, match="invalid reference"):
            call()


def test_what_would_write_is_refused_with_what_to_do(kit: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    repository = get_artifact_repository(f"{kit}/model")
    for call, attempt in (
        (lambda: repository.log_artifact(str(tmp_path / "a.txt")), "cannot write"),
        (lambda: repository.log_artifacts(str(tmp_path), "sub"), "cannot write"),
        (lambda: repository.delete_artifacts("deep"), "cannot delete 'deep'"),
        (lambda: repository.delete_artifacts(), "cannot delete 'artifacts'"),
    ):
        with pytest.raises(MlflowException, match=attempt) as caught:
            call()
        assert "a kit never changes" in str(caught.value)
        assert "kitline_mlflow.log_model or kitline_mlflow.log_modelkit" in str(caught.value)


def test_a_destination_that_is_missing_or_a_file_is_refused(kit: str, tmp_path: Path) -> None:
    repository = get_artifact_repository(f"{kit}/model")
    with pytest.raises(MlflowException, match="there is no such folder") as caught:
        repository.download_artifacts("deep", str(tmp_path / "none"))
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    (tmp_path / "file").write_text("")
    with pytest.raises(MlflowException, match="it is no folder") as caught:
        repository.download_artifacts("deep", str(tmp_path / "file"))
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_download_goes_over_what_is_there(kit: str, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "w.bin").write_text("old")
    (tmp_path / "deep" / "mine").write_text("mine")
    mlflow.artifacts.download_artifacts(f"{kit}/model/deep", dst_path=str(tmp_path))
    assert files(tmp_path / "deep") == ["er/w.bin", "mine"]
    assert (tmp_path / "deep" / "er" / "w.bin").read_text() == "weights"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "UNAUTHORIZED", "UNAUTHENTICATED"),
        (404, "MANIFEST_UNKNOWN", "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_what_a_registry_answers_is_what_mlflow_says(
    registry: LocalRegistry, status: int, code: str, error: str
) -> None:
    registry.inject(Fault.answer(status=status, code=code, path="/manifests/", times=None))
    with pytest.raises(MlflowException) as caught:
        mlflow.artifacts.download_artifacts(f"modelkit://{registry.host}/x@sha256:{HEX}/model")
    assert caught.value.error_code == error


def test_a_registry_that_is_down_is_said_to_be_that(kit: str, registry: LocalRegistry) -> None:
    registry.stop()
    with pytest.raises(MlflowException, match=registry.host) as caught:
        mlflow.artifacts.download_artifacts(f"{kit}/model")
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"


def test_a_kit_that_was_read_before_needs_no_registry(kit: str, registry: LocalRegistry) -> None:
    mlflow.artifacts.download_artifacts(f"{kit}/model")
    registry.stop()
    assert files(Path(mlflow.artifacts.download_artifacts(f"{kit}/model"))) == NET


def test_removing_a_download_leaves_the_cache_alone(kit: str, registry: LocalRegistry) -> None:
    shutil.rmtree(mlflow.artifacts.download_artifacts(f"{kit}/model"))
    registry.stop()
    assert files(Path(mlflow.artifacts.download_artifacts(f"{kit}/model"))) == NET
