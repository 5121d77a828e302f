"""Which flavor of MLflow a model belongs to.

Found from the names of the packages that its classes come from, so that nothing is imported that
the model does not need anyway: a model of a package means that the package is there.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from kitline.errors import UsageError

_FLAVORS = {
    # package that a class comes from -> module of mlflow
    "catboost": "catboost",
    "dspy": "dspy",
    "h2o": "h2o",
    "keras": "tensorflow",
    "langchain": "langchain",
    "langchain_community": "langchain",
    "langchain_core": "langchain",
    "langgraph": "langchain",
    "lightgbm": "lightgbm",
    "lightning": "pytorch",
    "llama_index": "llama_index",
    "mlflow": "pyfunc",
    "onnx": "onnx",
    "paddle": "paddle",
    "pmdarima": "pmdarima",
    "prophet": "prophet",
    "pyspark": "spark",
    "pytorch_lightning": "pytorch",
    "sentence_transformers": "sentence_transformers",
    "sklearn": "sklearn",
    "spacy": "spacy",
    "statsmodels": "statsmodels",
    "tensorflow": "tensorflow",
    "torch": "pytorch",
    "transformers": "transformers",
    "xgboost": "xgboost",
}
_OTHER_NAMES = {"python_function": "pyfunc", "torch": "pytorch"}
AUTO = "auto"


def choose_flavor(model: object, flavor: str | ModuleType = AUTO) -> ModuleType:
    """Return the module whose `log_model` or `save_model` takes the model.

    `flavor` is `auto`, a name such as `sklearn`, the dotted name of a module, or a module.

    Raises:
        UsageError: if there is no such flavor, or the model's type tells none.
    """
    if isinstance(flavor, ModuleType):
        return _checked(flavor)
    if flavor == AUTO:
        return _import(f"mlflow.{find_flavor(model)}", flavor)
    name = _OTHER_NAMES.get(flavor, flavor)
    return _checked(_import(name if "." in name else f"mlflow.{name}", flavor))


def find_flavor(model: object) -> str:
    """Return the name of the flavor that the model's type tells.

    Raises:
        UsageError: if it tells none.
    """
    if isinstance(model, str | Path) and str(model).endswith(".py"):
        return "pyfunc"  # a model from code
    parts = model.values() if isinstance(model, dict) else (model,)  # a dict: of components
    for part in parts:
        for each in type(part).__mro__:
            found = _FLAVORS.get(each.__module__.partition(".")[0])
            if found:
                return found
    if callable(model) and hasattr(model, "__code__"):
        return "pyfunc"
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise UsageError(
        f"no flavor of MLflow is known for a model of type {kind!r};"
        " name one, such as flavor='sklearn' or flavor=your_module"
    )


def _import(name: str, asked: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as cause:
        raise UsageError(f"cannot use flavor {asked!r}: {cause}") from cause


def _checked(module: ModuleType) -> ModuleType:
    if not hasattr(module, "log_model") and not hasattr(module, "save_model"):
        raise UsageError(
            f"module {module.__name__!r} is no flavor: it has neither 'log_model' nor 'save_model'"
        )
    return module
