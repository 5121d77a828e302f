"""Code that a model imports has layers of its own, and comes wherever the model is loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing import LocalRegistry
    from kitline_mlflow.log_model_info import ModelKitInfo

    from conftest import Tracked

HELPER = "kitline_test_helper"
SCRIPT = f"""
import mlflow

class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        from {HELPER} import double
        return [double(each) for each in model_input]

mlflow.models.set_model(Doubler())
"""


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loading puts the model's code before all other; the next test has none of it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop(HELPER, None)


@pytest.fixture(name="info")
def _info(ambient: Tracked, registry: LocalRegistry) -> ModelKitInfo:
    """Log a model from code, with a module beside it and a document for another drawer."""
    Path("script.py").write_text(SCRIPT)
    Path(f"{HELPER}.py").write_text("def double(number):\n    return 2 * number\n")
    Path("CARD.md").write_text("card")
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        found = kitline_mlflow.log_model(
            "script.py",
            name="doubler",
            reference=f"{registry.host}/team/doubler:v1",
            code_paths=[f"{HELPER}.py"],
            docs="CARD.md",
            registered_model_name="doubler",
            register_as="modelkit",
            aliases=["champion"],
            pip_requirements=["mlflow"],
        )
    sys.modules.pop(HELPER, None)
    sys.path[:] = [each for each in sys.path if not Path(each, f"{HELPER}.py").exists()]
    return found


@pytest.mark.parametrize("uri", ["modelkit://{reference}/model", "models:/doubler@champion"])
def test_code_paths_and_models_from_code_are_loaded_with_the_model(
    info: ModelKitInfo, registry: LocalRegistry, uri: str
) -> None:
    assert info.receipt
    drawers = {each.path: each for each in info.receipt.layers}
    assert set(drawers) == {"model", "model/code", "model/script.py", "docs/CARD.md"}
    registry.forget()
    model = mlflow.pyfunc.load_model(uri.format(reference=info.reference))
    assert model.predict([1, 2]) == [2, 4]
    assert registry.count("GET", str(drawers["docs/CARD.md"].digest)) == 0


def test_a_copy_at_another_place_has_the_code(info: ModelKitInfo, ambient: Tracked) -> None:
    options = {"as": "copy", "experiment": "copies", "tracking_uri": ambient.uri}
    copied = kitline.export(str(info.reference), "mlflow", options=options)
    assert copied.target != info.model_uri
    assert mlflow.pyfunc.load_model(copied.target).predict([4]) == [8]


def test_the_unpacked_kit_has_its_code_in_place(info: ModelKitInfo) -> None:
    kitline.unpack(str(info.reference), "out")
    assert mlflow.pyfunc.load_model("out/model").predict([3]) == [6]
