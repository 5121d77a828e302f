"""Logs one big file and prints what it took, as JSON.

log_large.py mlflow FILE DATABASE FOLDER REFERENCE  MLflow alone, into a local store; then `pack`
log_large.py log_model FILE DATABASE REFERENCE      both at once, with kitline_mlflow.log_model

DATABASE may be the address of an MLflow server instead; whoever started it removes its files. The
plain pack of FOLDER comes after MLflow's own log, so that it finds the machine as `log_model` does:
with as much waiting to be written, and with the registry's memory as cold.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


def main(mode: str, file: str, database: str, *more: str) -> None:
    """Do one of the two."""
    folder, reference = more if mode == "mlflow" else ("", *more)
    print(json.dumps(log(mode, Path(file), database, folder, reference)))


def log(mode: str, file: Path, database: str, folder: str, reference: str) -> dict[str, Any]:
    """Log the file in a run; `after_ready` is what comes once MLflow has the model."""
    import mlflow

    if mode == "log_model":
        import_module("kitline_mlflow.log_model_steps")  # as of MLflow, no import is timed
    is_server = "://" in database
    if not is_server:
        os.chdir(Path(database).parent)  # where MLflow makes a folder for its default experiment
    mlflow.set_tracking_uri(database if is_server else f"sqlite:///{database}")
    ready = _note_ready()
    with mlflow.start_run():
        began = time.perf_counter()
        if mode == "log_model":
            import kitline_mlflow

            info = kitline_mlflow.log_model(
                None, name="large", flavor=flavor(file), reference=reference
            )
        else:
            info = mlflow.models.Model.log(
                artifact_path=None, name="large", flavor=flavor(file), weights=None
            )
        ended = time.perf_counter()
    found = {"seconds": ended - began, "after_ready": ended - ready[-1]}
    found["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if folder:
        found["pack"] = pack(folder, reference)
    if not is_server:
        location = mlflow.MlflowClient().get_logged_model(info.model_id).artifact_location
        shutil.rmtree(location.removeprefix("file://"))
    return found


def pack(folder: str, reference: str) -> float:
    """Pack a folder with a Kitfile; return the seconds."""
    from kitline import pack  # as of MLflow, no import is timed

    began = time.perf_counter()
    pack(folder, reference)
    return time.perf_counter() - began


def flavor(file: Path) -> ModuleType:
    """Return a flavor whose weights are the file; saving costs nothing, so MLflow's copy is all."""
    found = ModuleType("large_flavor")

    def save_model(weights: object, path: str, mlflow_model: Any = None) -> None:
        del weights
        os.makedirs(path)
        os.link(file, f"{path}/weights.bin")
        mlflow_model.add_flavor("large")
        mlflow_model.save(f"{path}/MLmodel")

    found.save_model = save_model  # type: ignore[attr-defined] # a flavor is any module with it
    return found


def _note_ready() -> list[float]:
    from mlflow import MlflowClient

    times: list[float] = []
    finalize = MlflowClient.finalize_logged_model

    def noted(*args: Any, **kwargs: Any) -> Any:
        done = finalize(*args, **kwargs)
        times.append(time.perf_counter())
        return done

    MlflowClient.finalize_logged_model = noted  # type: ignore[method-assign] # timed, not changed
    return times


if __name__ == "__main__":
    main(*sys.argv[1:])
