"""Kits as input of a training run: loaded, logged as datasets, stamped by the environment."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import kitline
import mlflow
import pytest
from kitline.errors import NotFound, TargetError
from kitline.plugin import Digest, Parent
from kitline_mlflow.load import load_modelkit, used_kits
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.testing import LocalRegistry

    from conftest import Tracked

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(name="kit")
def _kit(tmp_path: Path, registry: LocalRegistry) -> str:
    folder = tmp_path / "kit"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.csv").write_text("1,2\n")
    (folder / "README.md").write_text("# Data\n")
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: rows}\n"
        "datasets: [{name: train, path: data}]\ndocs: [{path: README.md}]\n"
    )
    return str(kitline.pack(folder, f"{registry.host}/team/rows:v1"))


@pytest.fixture(name="ambient")
def _ambient(tracked: Tracked) -> Iterator[Tracked]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracked.uri)
    yield tracked
    mlflow.set_tracking_uri(before)


def digest_of(kit: str) -> Digest:
    return Digest(kit.rpartition("@")[2])


def test_a_kit_that_a_run_loads_is_remembered_for_that_run(kit: str, ambient: Tracked) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        found = load_modelkit(kit, path="datasets")
        load_modelkit(kit, path="docs")
    assert (found / "data" / "train.csv").read_text() == "1,2\n"
    expected = Parent(digest=digest_of(kit), role="data", reference=kit)
    assert used_kits(run.info.run_id) == (expected,)
    assert used_kits("another") == ()


def test_a_tag_is_remembered_as_the_digest_that_it_was(kit: str, ambient: Tracked) -> None:
    tagged = kit.partition("@")[0] + ":v1"
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        load_modelkit(tagged, role="base")
    (used,) = used_kits(run.info.run_id)
    assert (used.digest, used.role, used.reference) == (digest_of(kit), "base", kit)


def test_a_kit_loaded_outside_of_a_run_belongs_to_no_run(kit: str) -> None:
    load_modelkit(f"modelkit://{kit}", path="data")
    assert digest_of(kit) in {each.digest for each in used_kits(None)}


def test_a_kit_is_unpacked_into_a_folder(kit: str, tmp_path: Path) -> None:
    found = load_modelkit(kit, tmp_path / "work", path="datasets")
    assert found == tmp_path / "work"
    assert (found / "data" / "train.csv").read_text() == "1,2\n"
    assert not (found / "README.md").exists()
    with pytest.raises(TargetError):
        load_modelkit(kit, tmp_path / "work", path="datasets")
    load_modelkit(kit, tmp_path / "work", path="datasets", existing="replace")


def test_what_could_not_be_loaded_is_not_remembered(kit: str, ambient: Tracked) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run, pytest.raises(NotFound):
        load_modelkit(kit, path="prompts")
    assert used_kits(run.info.run_id) == ()


def test_a_kit_is_a_dataset_of_mlflow(kit: str, ambient: Tracked, registry: LocalRegistry) -> None:
    registry.forget()
    dataset = mlflow.data.load_modelkit(kit)
    assert registry.count("GET", r"/blobs/") == 1  # the config, no layer
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        mlflow.log_input(dataset, context="training", tags=dataset.tags)
    client = MlflowClient(ambient.uri)
    (found,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert found.dataset.name == "rows"
    assert found.dataset.digest == digest_of(kit).hex[:36]
    assert found.dataset.source_type == "modelkit"
    assert json.loads(found.dataset.source) == {"uri": f"modelkit://{kit}/datasets"}
    assert json.loads(found.dataset.profile) == {"kitline.digest": str(digest_of(kit))}
    assert {tag.key: tag.value for tag in found.tags}["kitline.digest"] == str(digest_of(kit))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # two sources for one scheme would warn
        source = mlflow.data.get_source(found)
    assert type(source).__name__ == "ModelkitArtifactDatasetSource"
    assert source.load().endswith("/datasets")


def test_a_dataset_takes_a_name_a_digest_and_a_path(kit: str) -> None:
    dataset = mlflow.data.load_modelkit(kit, name="mine", digest="short", path="docs")
    assert (dataset.name, dataset.digest) == ("mine", "short")
    assert dataset.source.uri == f"modelkit://{kit}/docs"
    assert dataset.schema is None
    assert dataset.load().endswith("/docs")


def test_a_run_that_makes_a_dataset_of_a_kit_has_used_it(kit: str, ambient: Tracked) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        mlflow.data.load_modelkit(kit)
    assert [each.digest for each in used_kits(run.info.run_id)] == [digest_of(kit)]


def test_a_dataset_of_a_kit_that_is_not_there_is_an_error_of_mlflow(
    registry: LocalRegistry,
) -> None:
    with pytest.raises(MlflowException, match="no manifest"):
        mlflow.data.load_modelkit(f"{registry.host}/none@{DIGEST}")


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (DIGEST, DIGEST),
        (f" {DIGEST} ,{DIGEST},", DIGEST),
        (f"reg.example/rows@{DIGEST}", f"reg.example/rows@{DIGEST}"),
        (f"reg.example/rows:v1@{DIGEST}", f"reg.example/rows@{DIGEST}"),
        ("", None),
        ("  ", None),
    ],
)
def test_a_run_is_stamped_with_the_kit_that_it_was_given(
    ambient: Tracked, monkeypatch: pytest.MonkeyPatch, value: str, tag: str | None
) -> None:
    monkeypatch.setenv("KITLINE_INPUT_DIGEST", value)
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        pass
    found = MlflowClient(ambient.uri).get_run(run.info.run_id)
    assert found.data.tags.get("kitline.input.digest") == tag
    assert found.info.status == "FINISHED"


@pytest.mark.parametrize(
    "value",
    ["latest", "sha256:abc", "reg.example/rows:v1", f"{DIGEST},x", f"{DIGEST}\nx", "@", ","],
)
def test_a_malformed_stamp_is_a_warning_and_the_run_starts(
    ambient: Tracked, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("KITLINE_INPUT_DIGEST", value)
    with pytest.warns(UserWarning, match="gets no tag 'kitline.input.digest' from KITLINE_INPUT"):
        run = mlflow.start_run(experiment_id=ambient.experiment_id)
    mlflow.end_run()
    found = MlflowClient(ambient.uri).get_run(run.info.run_id)
    assert "kitline.input.digest" not in found.data.tags


def test_a_malformed_stamp_starts_the_run_where_warnings_are_errors(
    ambient: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_INPUT_DIGEST", "latest")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module="sqlalchemy")
        with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
            pass
    assert MlflowClient(ambient.uri).get_run(run.info.run_id).info.status == "FINISHED"
