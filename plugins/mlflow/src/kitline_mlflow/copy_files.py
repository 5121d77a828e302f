"""The files of a copied model: ids rewritten before the upload, names compared after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import TargetError

from kitline_mlflow.model_yaml import read_yaml
from kitline_mlflow.remote.folders import list_files

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import LoggedModel

    from kitline_mlflow.export_server import TargetServer

_SHOWN = 5


def rewrite_model_file(path: Path, model: LoggedModel, run_id: str | None) -> None:
    """Put the ids of the new logged model into an MLmodel, in place of those it was made with."""
    import yaml

    described = read_yaml(path.read_bytes(), f"{path.name!r} in the kit")
    ids = {
        "artifact_path": model.artifact_location,
        "model_id": model.model_id,
        "model_uuid": model.model_id,
        "run_id": run_id,
    }
    described |= {key: value for key, value in ids.items() if value is not None}
    if run_id is None:
        described.pop("run_id", None)
    path.write_text(yaml.safe_dump(described, allow_unicode=True), "utf-8")


def sizes_below(root: Path) -> dict[str, int]:
    """Return path and size of every file below a folder."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in files}


def check_names(server: TargetServer, model: LoggedModel, sent: dict[str, int]) -> None:
    """Compare what was sent with what the server lists; over HTTP MLflow loses some names.

    Raises:
        TargetError: naming files that are missing or have another size.
    """
    listed = dict(list_files(server.open_artifacts(model.artifact_location)))
    lost = [
        path
        for path, size in sent.items()
        if path not in listed or listed[path] not in (None, size)
    ]
    if lost:
        shown = ", ".join(map(repr, sorted(lost)[:_SHOWN]))
        raise TargetError(
            f"the MLflow server {server.name!r} stored {len(lost)} of {len(sent)} files under other"
            f" names or with other sizes, such as {shown}; MLflow's HTTP store loses names with"
            " '#', '?' and '%': rename them, or use '-o as=source'"
        )
