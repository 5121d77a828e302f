"""Normalisation: files of the same fitted model become equal, however often it was logged.

Opt-in, since it rewrites what MLflow wrote and breaks signatures over MLmodel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import bytes_entry

from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_file import read_model_text
from kitline_mlflow.model_yaml import read_yaml

if TYPE_CHECKING:
    from kitline.plugin import Entry

    from kitline_mlflow.options import Normalise

PROFILE = "io.kitline.mlflow.profile"
"""`portable` or `portable-skops` where files were normalised; left out where they are as logged."""
VOLATILE = (
    *("artifact_path", "model_id", "model_size_bytes", "model_uuid", "run_id"),
    "utc_time_created",
)
"""What differs between two logs of one model; MLflow loads and registers without (section 7)."""


def normalise(files: tuple[Entry, ...], how: Normalise) -> tuple[tuple[Entry, ...], dict[str, str]]:
    """Return the files and the annotation that says what was done to them."""
    if how == "off":
        return files, {}
    found = tuple(_normalised(each, files, how) for each in files)
    return found, {PROFILE: "portable" if how == "mlmodel" else "portable-skops"}


def _normalised(entry: Entry, files: tuple[Entry, ...], how: Normalise) -> Entry:
    if entry.path == f"{FOLDER}/MLmodel":
        return bytes_entry(entry.path, _model_file(read_model_text(files, FOLDER, "the model")))
    if how == "skops" and entry.path.endswith(".skops"):
        from kitline_mlflow.normalise_skops import normalise_skops

        return normalise_skops(entry)
    return entry


def _model_file(text: bytes) -> bytes:
    import yaml

    fields = read_yaml(text, "the MLmodel")
    kept = {key: value for key, value in fields.items() if key not in VOLATILE}
    # as MLflow writes it
    return yaml.safe_dump(kept, default_flow_style=False, allow_unicode=True, encoding="utf-8")
