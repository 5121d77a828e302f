"""MLflow models and runs as ModelKits.

    import kitline_mlflow

    info = kitline_mlflow.log_model(model, name="iris", reference="reg.example/team/iris:v1")
    info.digest

Also a flavor of MLflow: `kitline_mlflow` loads models that hold a digest instead of weights. Names
are loaded on first use, so that importing this costs nothing and imports no MLflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline_mlflow.attest import attest_run
    from kitline_mlflow.evaluation import attest_evaluation
    from kitline_mlflow.flavor import _load_pyfunc, load_model, save_model
    from kitline_mlflow.load import load_modelkit
    from kitline_mlflow.promoted import move_aliases
    from kitline_mlflow.prompts import load_prompt
    from kitline_mlflow.verbs import log_model, log_modelkit

FLAVOR_NAME = "modelkit"

__all__ = [
    "FLAVOR_NAME",
    "_load_pyfunc",
    "attest_evaluation",
    "attest_run",
    "load_model",
    "load_modelkit",
    "load_prompt",
    "log_model",
    "log_modelkit",
    "move_aliases",
    "save_model",
]

_HOMES = {
    "_load_pyfunc": "flavor",
    "attest_evaluation": "evaluation",
    "attest_run": "attest",
    "load_model": "flavor",
    "load_modelkit": "load",
    "load_prompt": "prompts",
    "log_model": "verbs",
    "log_modelkit": "verbs",
    "move_aliases": "promoted",
    "save_model": "flavor",
}


# Not kitline's `lazy_names`: `import mlflow` loads this, and may not fail where kitline does.
def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
