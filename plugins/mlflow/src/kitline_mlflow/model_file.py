"""MLmodel: the description that MLflow writes beside a model. Read as data, nothing is loaded."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

from kitline_mlflow.model_yaml import LIMIT, read_flavors, read_small

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitline.plugin import Entry

_VALUES = 1_000_000
"""Most values in the flavors of an MLmodel; YAML can name one list often, and nest such lists."""
_WRAPPER = "python_function"
_POINTER = "modelkit"
# what MLflow joins to the model's folder when it loads, without looking (reference section 11)
_PATHS = frozenset(
    {
        *("data", "model_path", "pickled_model", "code", "model_data", "path"),
        *("model_binary", "python_model", "conda", "virtualenv", "saved_model_dir", "full_file"),
        *("tokenizer", "state_dict", "persist_dir", "agent_data", "tools_data", "callback_data"),
        *("model_config_path", "peft", "pipeline_path"),
    }
)
_CODE = ("code", "model_code_path")
_OWN_LOADERS = ("mlflow", "kitline_mlflow")


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """What kitline takes from an MLmodel; empty where it says nothing."""

    framework: str = ""
    """The flavor, such as `sklearn`; several with commas between them."""
    format: str = ""
    """How the weights are serialised, such as `skops` or `cloudpickle`."""
    mlflow_version: str = ""
    loader: str = ""
    """The module that loads the model where that is neither MLflow's nor kitline's."""
    code: tuple[str, ...] = ()
    """Files and folders with source code, relative to the model's folder."""
    paths: tuple[str, ...] = ()
    """All files and folders that loading opens, relative to the model's folder."""
    prompts: tuple[str, ...] = ()
    """The prompts that were linked when the model was logged, such as `prompts:/name/2`."""
    signature: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pointer: str = ""
    """The kit that a pointer model stands for, a pinned reference."""
    size: int | None = None
    """Bytes of the model's files when it was saved; later ones may have come."""

    @classmethod
    def from_yaml(cls, text: bytes, what: str) -> ModelFile:
        """Read the file by safe YAML; `what` names it in messages.

        Raises:
            SourceError: if it is not what MLflow writes, or names a path outside its folder.
        """
        parsed = read_flavors(text, what)
        flavors = parsed["flavors"]
        own = {str(name): value for name, value in flavors.items() if name != _WRAPPER}
        formats = {_text(each, "serialization_format") for each in own.values()} - {""}
        named = list(_named_paths(flavors, what))
        named += _named_paths({"example": parsed.get("saved_input_example_info")}, what)
        size = parsed.get("model_size_bytes")
        return cls(
            framework=", ".join(sorted(own) or [_WRAPPER]),
            format=", ".join(sorted(formats)),
            mlflow_version=_text(parsed, "mlflow_version"),
            loader=_foreign_loader(flavors),
            code=_outermost(path for key, path in named if key in _CODE),
            paths=tuple(sorted({path for _, path in named})),
            prompts=_prompts(parsed.get("prompts")),
            signature=_signature(parsed.get("signature")),
            pointer=_text(flavors.get(_POINTER), "reference"),
            size=size if isinstance(size, int) else None,
        )


def read_model_file(files: tuple[Entry, ...], folder: str, what: str) -> ModelFile:
    """Read the MLmodel among the files of a model.

    Raises:
        SourceError: if there is none, or it is too large or malformed.
    """
    return ModelFile.from_yaml(read_model_text(files, folder, what), f"the MLmodel of {what}")


def read_model_text(files: tuple[Entry, ...], folder: str, what: str) -> bytes:
    """Return the bytes of the MLmodel among the files of a model."""
    path = f"{folder}/MLmodel"
    entry = next((each for each in files if each.path == path), None)
    if entry is None:
        raise SourceError(f"{what} has no file MLmodel")
    return read_small(entry, LIMIT, f"the MLmodel of {what}")


def _named_paths(
    fields: Any, what: str, where: str = "", depth: int = 0, seen: Iterator[int] | None = None
) -> Iterator[tuple[str, str]]:
    """Find (key, path) of whatever loading joins to the folder; refuse what leaves it."""
    if depth > 20:
        raise SourceError(f"{what} is nested too deep")
    seen = count() if seen is None else seen
    items = fields.items() if isinstance(fields, dict) else enumerate(fields)
    for key, value in items:
        if next(seen) >= _VALUES:
            raise SourceError(f"{what} has more than {_VALUES} values")
        name = f"{where}.{key}" if where else str(key)
        if isinstance(value, (dict, list)):
            yield from _named_paths(value, what, name, depth + 1, seen)
        elif key == "model_code_path" and isinstance(value, str):
            # MLflow writes the path on the machine of the author, and loads the file's name only
            yield key, _inside(value.replace("\\", "/").rpartition("/")[2], f"{name} of {what}")
        elif key in _PATHS and isinstance(value, str) and value:
            yield str(key), _inside(value, f"{name} of {what}")
        elif key == "artifact_path" and where == "example" and isinstance(value, str):
            yield key, _inside(value, f"{name} of {what}")


def _inside(path: str, what: str) -> str:
    """Return a path cleaned.

    Raises:
        SourceError: if it is absolute, an address, or leaves its folder.
    """
    parts = path.split("/")
    if path.startswith(("/", "~")) or "\\" in path or ".." in parts or "\0" in path:
        raise SourceError(f"{what} is {path!r}, which leaves the model's folder; it is not packed")
    return posixpath.normpath(path)


def _outermost(paths: Iterator[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths) - {"."}):
        if not any(path.startswith(f"{each}/") for each in kept):
            kept.append(path)
    return tuple(kept)


def _foreign_loader(flavors: Mapping[Any, Any]) -> str:
    found = _text(flavors.get(_WRAPPER), "loader_module")
    return "" if found.split(".")[0] in _OWN_LOADERS else found


def _prompts(value: Any) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else []
    return tuple(sorted({each for each in texts if isinstance(each, str)}))


def _signature(value: Any) -> dict[str, Any]:
    """Return the signature with its schemas as data; MLflow writes them as JSON in texts."""
    if not isinstance(value, dict):
        return {}
    found = {}
    for key, text in value.items():
        if isinstance(text, str):
            try:
                found[str(key)] = json.loads(text)
            except (ValueError, RecursionError):
                found[str(key)] = text
    return found


def _text(fields: Any, key: str) -> str:
    found = fields.get(key) if isinstance(fields, dict) else None
    return found if isinstance(found, str) else ""
