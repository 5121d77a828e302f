"""Logging pointers: a logged model at a server that holds the digest of a kit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kitline_mlflow import tags as names
from kitline_mlflow.pointer import write_pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import PinnedReference
    from mlflow import MlflowClient


def log_pointer(
    client: MlflowClient,
    pinned: PinnedReference,
    *,
    name: str,
    experiment_id: str,
    inner: Path | Mapping[str, bytes] | None = None,
    run_id: str | None = None,
) -> str:
    """Log the pointer to a kit as a logged model of its own; return its id."""
    model = client.create_logged_model(
        experiment_id,
        name=name,
        source_run_id=run_id,
        tags={names.DIGEST: str(pinned.digest), names.REFERENCE: str(pinned)},
    )
    try:
        fill_pointer(client, model.model_id, pinned, inner=inner, run_id=run_id)
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def fill_pointer(
    client: MlflowClient,
    model_id: str,
    pinned: PinnedReference,
    *,
    inner: Path | Mapping[str, bytes] | None = None,
    run_id: str | None = None,
) -> None:
    """Upload the pointer to a kit as the files of a logged model that is not READY yet."""
    model = client.get_logged_model(model_id)
    ids = {
        "artifact_path": model.artifact_location,
        "model_id": model_id,
        "model_uuid": model_id,
        "run_id": run_id,
    }
    with tempfile.TemporaryDirectory(prefix="kitline-pointer-") as folder:
        path = Path(folder, "model")
        write_pointer(path, pinned, inner, ids={key: each for key, each in ids.items() if each})
        client.log_model_artifacts(model_id, str(path))
