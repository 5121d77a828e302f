"""The gate: a kit that a policy refuses is used by no way that MLflow has, cached or not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.errors import PolicyError
from kitline_mlflow.pointer import write_pointer
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.testing import LocalRegistry

    from conftest import Tracked

KITFILE = """\
manifestVersion: 1.0.0
package: {name: iris}
model: {name: iris, path: model}
datasets: [{name: rows, path: rows.csv}]
prompts: [{name: qa, path: qa.txt}]
"""


@pytest.fixture(name="kit")
def _kit(template: Tracked, tmp_path: Path, registry: LocalRegistry) -> kitline.KitResult:
    folder = tmp_path / "kit"
    shutil.copytree(template.model_folder, folder / "model")
    (folder / "rows.csv").write_text("1,2\n")
    (folder / "qa.txt").write_text("Answer {{question}}")
    (folder / "Kitfile").write_text(KITFILE)
    return kitline.pack(folder, f"{registry.host}/team/iris:v1")


@pytest.fixture(name="forbid")
def _forbid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what sets a policy."""

    def forbid(rule: str) -> None:
        (tmp_path / "policy.toml").write_text(f"[policy]\n{rule}\n")
        monkeypatch.setenv("KITLINE_POLICY", str(tmp_path / "policy.toml"))

    return forbid


def _load(kit: str, _: Path) -> object:
    return mlflow.pyfunc.load_model(f"modelkit://{kit}/model")


def _load_as_oci(kit: str, _: Path) -> object:
    return mlflow.pyfunc.load_model(f"oci://{kit}/model")


def _download(kit: str, folder: Path) -> object:
    return mlflow.artifacts.download_artifacts(f"modelkit://{kit}", dst_path=str(folder))


def _text(kit: str, _: Path) -> object:
    return mlflow.artifacts.load_text(f"modelkit://{kit}/model/MLmodel")


def _pointer(kit: str, folder: Path) -> object:
    write_pointer(folder / "pointer", kitline.inspect(kit).reference)  # type: ignore[arg-type] # in a registry
    return mlflow.pyfunc.load_model(str(folder / "pointer"))


def _data(kit: str, _: Path) -> object:
    return kitline_mlflow.load_modelkit(kit, path="datasets")


def _data_in_a_folder(kit: str, folder: Path) -> object:
    return kitline_mlflow.load_modelkit(kit, folder / "data", path="datasets")


def _dataset(kit: str, _: Path) -> object:
    return mlflow.data.load_modelkit(kit).load()  # type: ignore[attr-defined] # our constructor


def _prompt(kit: str, _: Path) -> object:
    return kitline_mlflow.load_prompt(f"modelkit://{kit}", "qa")


def _version(kit: str, _: Path) -> object:
    client = MlflowClient()
    client.create_registered_model("iris")
    version = client.create_model_version("iris", f"modelkit://{kit}/model").version
    return mlflow.pyfunc.load_model(f"models:/iris/{version}")


def _export(kit: str, _: Path) -> object:
    return kitline.export(kit, "mlflow", options={"register": "iris"})


WAYS = [
    *(_load, _load_as_oci, _download, _text, _pointer, _data, _data_in_a_folder, _dataset),
    *(_prompt, _version, _export),
]


@pytest.mark.parametrize("use", WAYS, ids=lambda use: str(use.__name__).strip("_"))
def test_a_revoked_kit_is_used_by_no_way_though_the_cache_has_it(
    use: Callable[[str, Path], object],
    kit: kitline.KitResult,
    forbid: Callable[[str], None],
    tracked: Tracked,
    tmp_path: Path,
) -> None:
    mlflow.set_tracking_uri(tracked.uri)
    kitline_mlflow.load_modelkit(str(kit))  # allowed, and now in the cache
    forbid(f"[policy.revocation]\nkits = ['{kit.digest}']")
    folder = tmp_path / "use"
    folder.mkdir()
    with pytest.raises((PolicyError, MlflowException), match="revoked"):
        use(str(kit), folder)
    assert [each for each in folder.rglob("*") if each.parent.name != "pointer"] in (
        [],
        [folder / "pointer"],
    )
    if use is _export:
        assert not MlflowClient().search_model_versions("name='iris'")


def test_a_tag_is_refused_where_a_policy_wants_digests(
    kit: kitline.KitResult, forbid: Callable[[str], None], registry: LocalRegistry
) -> None:
    forbid("pinned = true")
    with pytest.raises(MlflowException, match="policy refuses to load") as caught:
        mlflow.pyfunc.load_model(f"modelkit://{registry.host}/team/iris:v1/model")
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert mlflow.pyfunc.load_model(f"modelkit://{kit}/model")


def test_the_base_of_a_kit_is_judged_too_though_the_cache_has_it(
    kit: kitline.KitResult,
    forbid: Callable[[str], None],
    registry: LocalRegistry,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    (folder / "notes.md").write_text("notes")
    (folder / "Kitfile").write_text(
        f"manifestVersion: 1.0.0\npackage: {{name: tuned}}\nmodel: {{name: m, path: '{kit}'}}\n"
        "docs: [{path: notes.md}]\n"
    )
    tuned = kitline.pack(folder, f"{registry.host}/team/tuned:v1")
    kitline_mlflow.load_modelkit(str(tuned), path="model")
    forbid(f"[policy.revocation]\nkits = ['{kit.digest}']")
    with pytest.raises(PolicyError, match="revoked"):
        kitline_mlflow.load_modelkit(str(tuned), path="model")
