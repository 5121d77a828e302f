"""How a model's weights are serialised, and whether loading them runs code that they hold.

Told by names and by what MLmodel says: nothing is opened. Unknown formats count as executing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline_mlflow.model_file import ModelFile

FORMATS = {
    ".pkl": "pickle", ".pickle": "pickle", ".joblib": "joblib", ".dill": "dill",
    ".skops": "skops", ".pt": "torch", ".pth": "torch", ".pt2": "torch", ".ckpt": "torch",
    ".bin": "torch", ".h5": "keras", ".keras": "keras", ".npy": "numpy", ".npz": "numpy",
    ".safetensors": "safetensors", ".onnx": "onnx", ".gguf": "gguf", ".lgb": "lightgbm",
    ".ubj": "xgboost", ".xgb": "xgboost", ".cb": "catboost", ".pmml": "pmml",
    ".tflite": "tflite", ".pdparams": "paddle", ".pb": "tensorflow",
}  # fmt: skip
"""Endings of weight files. Files without one of these, such as JSON, say nothing."""
_DATA = frozenset(
    {"safetensors", "onnx", "gguf", "lightgbm", "xgboost", "catboost", "pmml", "tflite"}
)
"""Formats that are read and not run; all others execute: reference section 11, row 6."""


@dataclass(frozen=True, kw_only=True)
class Serialisation:
    """What the manifest says of the weights."""

    formats: tuple[str, ...]
    executes: bool
    """Whether loading may run code that comes with the model."""


def find_serialisation(described: ModelFile, paths: Iterable[str]) -> Serialisation:
    """Return how the model at these paths is serialised."""
    suffixes = {
        PurePosixPath(path).suffix.lower() for path in paths if not _is_code(path, described)
    }
    named = {each for each in described.format.split(", ") if each}
    # MLmodel knows better than the ending whether a '.pkl' is one of cloudpickle
    found = named | {
        FORMATS[each]
        for each in suffixes
        if each in FORMATS and not (named and FORMATS[each] == "pickle")
    }
    has_code = bool(described.code or described.loader)
    return Serialisation(
        formats=tuple(sorted(found)), executes=has_code or not found or not found <= _DATA
    )


def _is_code(path: str, described: ModelFile) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in described.code)
