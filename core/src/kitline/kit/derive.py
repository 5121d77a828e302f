"""Derived Kitfiles: what a folder without a Kitfile says of itself.

A function of names and sizes alone: nothing from the folder's name, a reference or a clock. Every
file is in exactly one layer; what no rule knows is in the code layer `.`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kitline.errors import SourceError
from kitline.kit.kitfile import Code, Dataset, Docs, Kitfile, Model, Part, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.kit.tree import Entry

LARGE_FILE: Final = 1 << 30
"""A file of this many bytes or more is a layer of its own."""

_MODEL_ENDINGS: Final = (
    ".safetensors", ".onnx", ".gguf", ".pt", ".pth", ".pkl", ".joblib", ".h5", ".keras",
    ".tflite", ".bin", ".ckpt", ".skops",
)  # fmt: skip
_DATA_ENDINGS: Final = (
    ".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".arrow", ".feather", ".avro", ".orc",
    ".npy", ".npz", ".tfrecord",
)  # fmt: skip
_DOCS_ENDINGS: Final = (".md", ".rst", ".txt", ".pdf")
_DOCS_NAMES: Final = ("license", "licence", "notice", "readme", "changelog", "authors", "citation")
_NOT_DOCS: Final = re.compile(r"(requirements.*|constraints.*|cmakelists)\.txt\Z")
_FOLDERS: Final = {
    "data": "data",
    "dataset": "data",
    "datasets": "data",
    "docs": "docs",
    "doc": "docs",
    "prompts": "prompts",
}
_MODEL_MARK: Final = "MLmodel"
# kit reads a path with one of these as a reference to another kit
_NO_PATH: Final = (":", "@")


@dataclass
class _Found:
    """Paths of layers by kind, in the order of the tree."""

    model: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    docs: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    has_rest: bool = False


def derive_kitfile(entries: Iterable[Entry]) -> Kitfile:
    """Return a Kitfile in which every file of `entries` is in exactly one layer.

    Raises:
        SourceError: if there is no file.
    """
    listed = tuple(entries)
    files = [entry for entry in listed if not entry.is_folder]
    if not files:
        raise SourceError("cannot derive a Kitfile: there is no file to pack")
    found = _sort_into_kinds(files)
    return Kitfile(
        model=_model(found.model),
        code=(Code(path="."),) if found.has_rest else (),
        datasets=tuple(Dataset(name=_name(path), path=path) for path in found.data),
        docs=tuple(Docs(path=path) for path in found.docs),
        prompts=tuple(Prompt(path=path) for path in found.prompts),
    )


def _sort_into_kinds(files: Sequence[Entry]) -> _Found:
    found = _Found()
    model_folders = _model_folders(files)
    found.model += model_folders
    seen = set(model_folders)
    for entry in files:
        kind, path = _place(entry.path, model_folders)
        if (entry.size or 0) >= LARGE_FILE and _can_be_path(entry.path):
            kind, path = ("data" if kind == "rest" else kind), entry.path
        if kind == "rest" or not _can_be_path(path):
            found.has_rest = True
        elif path not in seen:
            seen.add(path)
            getattr(found, kind).append(path)
    return found


def _model_folders(files: Sequence[Entry]) -> tuple[str, ...]:
    """Return the folders that hold an MLmodel, the outermost only; `.` if the root does."""
    holding = [
        entry.path.rpartition("/")[0] or "."
        for entry in files
        if entry.path.rpartition("/")[2] == _MODEL_MARK
    ]
    if "." in holding:
        return (".",)
    named = [each for each in holding if _can_be_path(each)]
    return tuple(each for each in named if not any(each.startswith(other + "/") for other in named))


def _place(path: str, model_folders: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind of a file and the path of the layer that holds it."""
    for folder in model_folders:
        if folder == "." or path.startswith(folder + "/"):
            return "model", folder
    first, slash, _ = path.partition("/")
    if slash and first.lower() in _FOLDERS:
        return _FOLDERS[first.lower()], first
    name = path.rpartition("/")[2].lower()
    if name.endswith(_MODEL_ENDINGS):
        return "model", path
    if name.endswith(_DATA_ENDINGS):
        return "data", path
    if name.endswith(".prompt"):
        return "prompts", path
    if _is_docs(name):
        return "docs", path
    return "rest", "."


def _is_docs(name: str) -> bool:
    if _NOT_DOCS.match(name):
        return False
    return name.endswith(_DOCS_ENDINGS) or name.partition(".")[0] in _DOCS_NAMES


def _model(paths: Sequence[str]) -> Model | None:
    if not paths:
        return None
    return Model(path=paths[0], parts=tuple(Part(path=path) for path in paths[1:]))


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _can_be_path(path: str) -> bool:
    """Tell whether kit takes the path as it is: no reference, nothing that it would trim."""
    return path == path.strip() and not any(mark in path for mark in _NO_PATH)
