"""Promotions move MLflow's alias to the version that is the kit, and rollbacks move it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.cli.main import main
from kitline.errors import UsageError
from kitline.testing.command_line import CommandLine

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry
    from kitline_mlflow.log_model_info import ModelKitInfo
    from mlflow import MlflowClient

    from conftest import Fitted, Tracked


@pytest.fixture(name="pair")
def _pair(
    ambient: Tracked, iris: Fitted, registry: LocalRegistry
) -> tuple[ModelKitInfo, ModelKitInfo]:
    """Log two models as two kits of one repository and two versions of one name."""
    return log(ambient, iris, registry, 1), log(ambient, iris, registry, 2)


def log(ambient: Tracked, iris: Fitted, registry: LocalRegistry, number: int) -> ModelKitInfo:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        return kitline_mlflow.log_model(
            iris.model,
            name=f"iris-{number}",
            reference=f"{registry.host}/team/iris:v{number}",
            registered_model_name="iris",
            pip_requirements=["scikit-learn"],
        )


def aliases(client: MlflowClient) -> dict[str, str]:
    return {key: str(value) for key, value in client.get_registered_model("iris").aliases.items()}


def test_an_alias_follows_promotions_and_rollbacks(
    pair: tuple[ModelKitInfo, ModelKitInfo], client: MlflowClient, ambient: Tracked
) -> None:
    first, second = (str(each.reference) for each in pair)
    told = kitline.promote(first, "champion").write_backs
    assert aliases(client) == {"champion": "1"}
    assert [(each.warning, each.target) for each in told if each.plugin == "mlflow"] == [
        (None, f"alias 'champion' of models:/iris/1 at {ambient.uri}")
    ]
    kitline.promote(second, "champion")
    assert aliases(client) == {"champion": "2"}
    assert mlflow.models.get_model_info("models:/iris@champion").model_id == pair[1].model_id
    kitline.rollback(first.partition("@")[0], "champion")
    assert aliases(client) == {"champion": "1"}


def test_a_version_whose_source_is_the_digest_is_found_without_tags(
    pair: tuple[ModelKitInfo, ModelKitInfo], client: MlflowClient
) -> None:
    kit = str(pair[0].reference)
    client.create_registered_model("other")
    client.create_model_version("other", f"modelkit://{kit}/model")
    client.create_model_version("other", "modelkit://reg.example/x@sha256:" + "1" * 64)
    client.set_model_version_tag("other", "2", "kitline.digest", str(pair[0].digest))
    assert kitline_mlflow.move_aliases(kit, "champion") == ("models:/iris/1", "models:/other/1")
    # an alias that is at one of several versions of the kit stays there
    client.create_model_version("other", f"modelkit://{kit}/model")
    assert kitline_mlflow.move_aliases(kit, "champion") == ("models:/iris/1", "models:/other/1")


def test_a_machine_that_did_not_make_the_kit_tells_the_server_of_its_environment(
    pair: tuple[ModelKitInfo, ModelKitInfo],
    client: MlflowClient,
    ambient: Tracked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kit = str(pair[0].reference)
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "another home"))
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # as in a program that knows no MLflow
    assert not kitline.promote(kit, "staging").write_backs
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ambient.uri)
    kitline.promote(kit, "champion")
    assert aliases(client) == {"champion": "1"}


def test_a_stage_whose_name_is_no_alias_and_a_server_that_is_gone_are_warnings(
    pair: tuple[ModelKitInfo, ModelKitInfo], client: MlflowClient, ambient: Tracked
) -> None:
    kit = str(pair[0].reference)
    promotion = kitline.promote(kit, "v1.candidate")
    (told,) = promotion.write_backs
    assert promotion.changed
    assert told.warning
    assert "'v1.candidate' is no alias that MLflow takes" in told.warning
    Path(ambient.uri.removeprefix("sqlite:///")).unlink()
    (told,) = kitline.promote(kit, "champion").write_backs
    assert told.warning
    assert told.warning.startswith(f"MLflow's alias 'champion' was not moved to {kit}: ")
    assert f"""call "kitline_mlflow.move_aliases('{kit}', 'champion')\"""" in told.warning


def test_write_back_require_exits_with_4_and_the_stage_stands(
    pair: tuple[ModelKitInfo, ModelKitInfo], ambient: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = str(pair[0].reference)
    Path(ambient.uri.removeprefix("sqlite:///")).unlink()
    monkeypatch.setenv("KITLINE_WRITE_BACK", "require")
    done = CommandLine(main)("promote", kit, "champion")
    assert done.code == 4
    monkeypatch.delenv("KITLINE_WRITE_BACK")
    tagged = kitline.inspect(f"{kit.partition('@')[0]}:champion")
    assert tagged.digest == pair[0].digest


def test_aliases_are_moved_by_digest_only(ambient: Tracked) -> None:
    with pytest.raises(UsageError, match="it names no digest"):
        kitline_mlflow.move_aliases("reg.example/iris:v1", "champion", tracking_uri=ambient.uri)
