"""Real models of several flavors: logged once, they predict the same wherever they are loaded."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import kitline
import kitline_mlflow
import mlflow
import numpy as np
import pytest
from harness.programs import Kit, need_program
from kitline.errors import UsageError
from kitline_mlflow.flavor_choice import choose_flavor, find_flavor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kitline.testing import LocalRegistry

    from conftest import MlflowServer, Tracked

LOAD = """
import json, sys, mlflow, numpy
uris, data = json.loads(sys.argv[1]), numpy.array(json.loads(sys.argv[2]))
for uri in uris:
    found = mlflow.pyfunc.load_model(uri).predict(data)
    found = found if not isinstance(found, dict) else next(iter(found.values()))
    print(json.dumps(numpy.asarray(found, dtype=float).ravel().round(5).tolist()))
"""
HIDE_KITLINE = """
import importlib.metadata, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kitline", "kitline_mlflow", "kitline_dvc"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
every = importlib.metadata.entry_points
def others(**asked):
    found = every(**asked)
    return type(found)(each for each in found if not each.value.startswith("kitline"))
importlib.metadata.entry_points = others
"""


def sklearn_model(data: Any, labels: Any) -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=300).fit(data, labels)
    return fitted, fitted.predict


def lightgbm_model(data: Any, labels: Any) -> tuple[Any, Any]:
    from lightgbm import LGBMRegressor

    fitted = LGBMRegressor(n_estimators=3, verbose=-1).fit(data, labels)
    return fitted, fitted.predict


def xgboost_model(data: Any, labels: Any) -> tuple[Any, Any]:
    from xgboost import XGBRegressor

    fitted = XGBRegressor(n_estimators=3).fit(data, labels)
    return fitted, fitted.predict


def onnx_model(data: Any, labels: Any) -> tuple[Any, Any]:
    from onnx import TensorProto, helper
    from onnx.numpy_helper import from_array

    weights, *_ = np.linalg.lstsq(data, labels, rcond=None)
    table = helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, data.shape[1]])
    out = helper.make_tensor_value_info("out", TensorProto.DOUBLE, [None, 1])
    node = helper.make_node("MatMul", ["rows", "weights"], ["out"])
    graph = helper.make_graph(
        [node], "regression", [table], [out], [from_array(weights.reshape(-1, 1), "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model, lambda rows: rows @ weights


def pyfunc_model(data: Any, labels: Any) -> tuple[Any, Any]:
    del data, labels

    class Doubler(mlflow.pyfunc.PythonModel):  # here: loading pyfunc warns of MLflow's own hints
        """A custom model of the user's."""

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return np.asarray(model_input).sum(axis=1) * 2

    return Doubler(), lambda rows: rows.sum(axis=1) * 2


MODELS = {
    "sklearn": sklearn_model,
    "lightgbm": lightgbm_model,
    "onnx": onnx_model,
    "pyfunc": pyfunc_model,
}
if find_spec("xgboost"):  # 'xgboost-cpu' is enough
    MODELS["xgboost"] = xgboost_model


@dataclass(frozen=True)
class Logged:
    """What each flavor logged, and what it should predict."""

    infos: dict[str, Any]
    expected: dict[str, list[float]]
    rows: str


@pytest.fixture(name="logged")
def _logged(ambient: Tracked, registry: LocalRegistry, request: pytest.FixtureRequest) -> Logged:
    return log_each(request.param, ambient.experiment_id, registry)


def log_each(flavors: Sequence[str], experiment: str, registry: LocalRegistry) -> Logged:
    """Train on real data; half of the kits go to a registry, half to the local store, then all."""
    from sklearn.datasets import load_diabetes

    data, labels = load_diabetes(return_X_y=True)
    infos, expected = {}, {}
    for number, flavor in enumerate(flavors):
        make = MODELS[flavor]
        model, predict = make(data, labels > 140 if flavor == "sklearn" else labels)
        with mlflow.start_run(experiment_id=experiment):
            infos[flavor] = kitline_mlflow.log_model(
                model,
                name=flavor,
                reference=f"{registry.host}/team/{flavor}:v1" if number % 2 else None,
                registered_model_name=flavor,
                aliases=["champion"],
                pip_requirements=["scikit-learn"],
            )
        for place in (f"{registry.host}/both/{flavor}:v1", f"both/{flavor}:v1"):
            kitline.copy(str(infos[flavor].reference), place)
        found = np.asarray(predict(data[:5]), dtype=float).ravel()
        expected[flavor] = [float(each) for each in found.round(5)]
    return Logged(infos, expected, json.dumps(data[:5].tolist()))


@pytest.mark.slow
@pytest.mark.parametrize("logged", [tuple(MODELS)], indirect=True)
def test_each_flavor_is_found_and_predicts_the_same_by_digest_and_by_alias_in_a_fresh_process(
    logged: Logged, run_fresh: Callable[..., str], registry: LocalRegistry
) -> None:
    check_each(logged, run_fresh, registry)


@pytest.mark.slow
def test_each_flavor_predicts_the_same_with_a_real_server(
    mlflow_server: MlflowServer,
    ambient_server: Callable[..., Any],
    run_fresh: Callable[..., str],
    registry: LocalRegistry,
) -> None:
    experiment = mlflow.MlflowClient(mlflow_server.url).create_experiment("flavors")
    with ambient_server(mlflow_server.url):
        logged = log_each(tuple(MODELS), experiment, registry)
        check_each(logged, run_fresh, registry)


def check_each(logged: Logged, run_fresh: Callable[..., str], registry: LocalRegistry) -> None:
    """Load each model in a fresh process: by digest from both stores, and by alias."""
    both = [f"both/{flavor}@{info.digest}" for flavor, info in logged.infos.items()]
    uris = [
        *(f"modelkit://{registry.host}/{each}" for each in both),
        *(f"modelkit:///{each}" for each in both),
        *(f"models:/{flavor}@champion" for flavor in logged.infos),
    ]
    for flavor, info in logged.infos.items():
        assert set(info.flavors) == {flavor, "python_function"} - ({"pyfunc"} & {flavor})
    lines = run_fresh(LOAD, json.dumps(uris), logged.rows).splitlines()
    assert [json.loads(line) for line in lines] == [*logged.expected.values()] * 3


@pytest.mark.slow
@pytest.mark.parametrize("logged", [["sklearn", "pyfunc"]], indirect=True)
def test_with_kitline_uninstalled_the_model_loads_by_alias(
    logged: Logged, run_fresh: Callable[..., str]
) -> None:
    uris = [f"models:/{flavor}@champion" for flavor in logged.infos]
    check = "\nassert not [each for each in sys.modules if each.startswith('kitline')]\n"
    lines = run_fresh(HIDE_KITLINE + LOAD + check, json.dumps(uris), logged.rows).splitlines()
    assert [json.loads(line) for line in lines] == [*logged.expected.values()]


@pytest.mark.parametrize("logged", [["sklearn", "lightgbm"]], indirect=True)
def test_the_unpacked_kit_is_a_folder_that_mlflow_loads(logged: Logged, tmp_path: Path) -> None:
    info = logged.infos["lightgbm"]
    kitline.unpack(str(info.reference), tmp_path / "out")
    model = mlflow.pyfunc.load_model(str(tmp_path / "out" / "model"))
    found = model.predict(np.array(json.loads(logged.rows)))
    assert [float(each) for each in found.round(5)] == logged.expected["lightgbm"]


@pytest.mark.peer
@pytest.mark.parametrize("logged", [["sklearn", "lightgbm"]], indirect=True)
def test_what_the_real_kit_unpacks_is_a_folder_that_mlflow_loads(
    logged: Logged, tmp_path: Path
) -> None:
    info = logged.infos["lightgbm"]
    kit = Kit(program=need_program("kit"), home=tmp_path / "home")
    kit.run("unpack", str(info.reference), "-d", tmp_path / "out", "--plain-http")
    model = mlflow.pyfunc.load_model(str(tmp_path / "out" / "model"))
    found = model.predict(np.array(json.loads(logged.rows)))
    assert [float(each) for each in found.round(5)] == logged.expected["lightgbm"]


def test_mlflow_stores_what_the_flavors_own_log_model_stores(ambient: Tracked) -> None:
    import yaml
    from mlflow.artifacts import download_artifacts

    model, _ = sklearn_model([[0.0], [1.0]], [0, 1])
    described = []
    for log in (kitline_mlflow.log_model, mlflow.sklearn.log_model):
        with mlflow.start_run(experiment_id=ambient.experiment_id):
            mlflow.log_metric("accuracy", 1.0, step=0)
            info = log(
                model,
                name="m",
                input_example=np.array([[0.0]]),
                params={"a": "b"},
                serialization_format="cloudpickle",
                pip_requirements=["scikit-learn"],
            )
        logged = mlflow.MlflowClient().get_logged_model(info.model_id)
        folder = download_artifacts(artifact_uri=info.model_uri)
        with open(f"{folder}/MLmodel") as file:
            found = yaml.safe_load(file)
        for key in ("artifact_path", "model_id", "model_uuid", "run_id", "utc_time_created"):
            found.pop(key)
        params = {k: v for k, v in logged.params.items() if not k.startswith("kitline.")}
        metrics = [(each.key, each.value) for each in logged.metrics]
        described.append((found, params, metrics, logged.model_type, str(logged.status)))
    assert described[0] == described[1]


class _OwnModel:
    """A model of a flavor that MLflow does not know."""


def own_flavor() -> ModuleType:
    """Return a module that has only `save_model`, as the smallest flavor does."""
    flavor = ModuleType("own_flavor")

    def save_model(own_model: Any, path: str, mlflow_model: Any = None, note: str = "") -> None:
        import os

        os.makedirs(path)
        with open(f"{path}/weights.txt", "w") as file:
            file.write(note)
        mlflow_model.add_flavor("own", note=note)
        mlflow_model.save(f"{path}/MLmodel")

    flavor.save_model = save_model  # type: ignore[attr-defined]
    return flavor


def test_a_module_of_the_users_is_a_flavor(ambient: Tracked) -> None:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        info = kitline_mlflow.log_model(_OwnModel(), name="m", flavor=own_flavor(), note="hello")
    assert info.receipt
    kitline.unpack(str(info.reference), "out")
    with open("out/model/weights.txt") as file:
        assert file.read() == "hello"


def test_a_model_of_unknown_type_is_refused_with_the_way_to_name_its_flavor() -> None:
    with pytest.raises(UsageError, match=r"no flavor .*_OwnModel'; name one, such as"):
        find_flavor(_OwnModel())


def of_package(package: str, *bases: type) -> object:
    return type("Model", bases, {"__module__": f"{package}.somewhere"})()


@pytest.mark.parametrize(
    ("package", "flavor"),
    [
        ("torch", "pytorch"),
        ("lightning", "pytorch"),
        ("keras", "tensorflow"),
        ("transformers", "transformers"),
        ("sentence_transformers", "sentence_transformers"),
        ("langchain_core", "langchain"),
        ("langgraph", "langchain"),
        ("xgboost", "xgboost"),
        ("catboost", "catboost"),
    ],
)
def test_the_flavor_is_found_without_importing_the_package(package: str, flavor: str) -> None:
    before = set(sys.modules)
    assert find_flavor(of_package(package)) == flavor
    assert set(sys.modules) == before


def test_the_nearest_class_tells_the_flavor() -> None:
    torch = type(of_package("torch"))
    assert find_flavor(of_package("transformers", torch)) == "transformers"
    assert find_flavor(of_package("users_own", torch)) == "pytorch"
    sklearn = type(of_package("sklearn"))
    assert find_flavor(of_package("xgboost", sklearn)) == "xgboost"


@pytest.mark.parametrize("model", [lambda rows: rows, "model.py"])
def test_functions_and_models_from_code_are_pyfunc(model: object) -> None:
    assert find_flavor(model) == "pyfunc"


def test_components_of_transformers_in_a_dict_are_transformers() -> None:
    assert find_flavor({"model": of_package("transformers"), "task": "x"}) == "transformers"


def test_a_flavor_goes_by_several_names() -> None:
    import mlflow.sklearn

    for name in ("sklearn", "mlflow.sklearn", mlflow.sklearn):
        assert choose_flavor(None, name) is mlflow.sklearn
    assert choose_flavor(None, "python_function").__name__ == "mlflow.pyfunc"


TABLE = """
import sys, kitline_mlflow
assert kitline_mlflow.FLAVOR_NAME == "modelkit" and "log_model" in dir(kitline_mlflow)
print(*sorted({"mlflow", "kitline", "oras", "yaml", "requests", "numpy"} & set(sys.modules)))
"""


def test_importing_kitline_mlflow_imports_no_mlflow_and_no_kitline(
    run_fresh: Callable[..., str],
) -> None:
    assert run_fresh(TABLE).split() == []
