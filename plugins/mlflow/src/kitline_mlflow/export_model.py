"""The MLflow model inside a kit: which folder of the model drawer it is, and its MLmodel.

Everything is read as data. Nothing of a model is loaded or unpickled during an export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import kit_layers, read_kit

from kitline_mlflow.model_yaml import LIMIT, read_flavors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import Kit, KitPart

MLMODEL = "MLmodel"
_SMALL = (MLMODEL, "requirements.txt", "conda.yaml", "python_env.yaml")


@dataclass(frozen=True, kw_only=True)
class InnerModel:
    """The MLflow model of a kit."""

    folder: str
    """Its folder in the kit, which holds the MLmodel; empty for the kit's root."""
    small: Mapping[str, bytes]
    """Its MLmodel and the files that say what it needs, by name."""
    description: dict[str, Any]
    """What the MLmodel says."""

    def path_of(self, name: str) -> str:
        """Return where a file of the model lies in the kit."""
        return f"{self.folder}/{name}" if self.folder else name


def model_parts(kit: Kit) -> tuple[KitPart, ...]:
    """Return the entries of the model drawer that lie in this kit, in order."""
    layers = kit_layers(kit, select=lambda part: part.drawer == "model")
    return tuple(part for part, _ in layers)


def parts_below(kit: Kit, folder: str) -> tuple[KitPart, ...]:
    """Return the entries that make up a model: its drawer, and code within its folder, in order."""
    before = f"{folder}/" if folder else ""

    def belongs(part: KitPart) -> bool:
        is_code = part.drawer == "code" and part.clean_path.startswith(before)
        return is_code or part.drawer == "model"

    return tuple(part for part, _ in kit_layers(kit, select=belongs))


def find_inner_model(kit: Kit) -> InnerModel:
    """Read the MLmodel out of the kit, layer after layer until it is found; verified.

    Raises:
        SourceError: if the model drawer holds none, or one that is not what MLflow writes.
        VerificationError: if a layer is not what the manifest promises.
    """
    for part in model_parts(kit):
        found = _SmallFiles()
        read_kit(kit, found, select=lambda each, field=part.field: each.field == field)  # type: ignore[misc]
        described = [path for path in found.texts if path.rpartition("/")[2] == MLMODEL]
        if described:
            path = min(described, key=lambda path: (path.count("/"), path))
            small = found.beside(path)
            folder = path.rpartition("/")[0]
            description = read_flavors(small[MLMODEL], f"{path!r} in the kit")
            return InnerModel(folder=folder, small=small, description=description)
    raise SourceError(
        f"{kit.reference} holds no MLmodel in its model drawer, so MLflow cannot load it;"
        " import it from MLflow ('kitline import mlflow://runs/ID …') or pack a folder that"
        " 'mlflow.…save_model' wrote; '-o as=source' registers it for download alone"
    )


class SmallFilesLater(Mapping[str, bytes]):
    """The small files of a kit's model, read only if somebody asks for them."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def __getitem__(self, name: str) -> bytes:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @cached_property
    def _found(self) -> Mapping[str, bytes]:
        return find_inner_model(self._kit).small


class _SmallFiles:
    """Keeps the small files of a layer that describe a model, and lets the others pass."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}
        self._path = ""
        self._buffer: bytearray | None = None

    def beside(self, path: str) -> dict[str, bytes]:
        """Return what lies in the folder of `path`, by name."""
        folder = path.rpartition("/")[0]
        return {
            each.rpartition("/")[2]: text
            for each, text in self.texts.items()
            if each.rpartition("/")[0] == folder
        }

    def add_folder(self, path: str, mode: int) -> None:
        """Folders say nothing."""

    def begin_file(self, path: str, mode: int, size: int) -> None:
        """Keep the file if it is one of those."""
        self._path = path
        self._buffer = bytearray() if path.rpartition("/")[2] in _SMALL else None

    def write(self, view: memoryview) -> None:
        """Keep no more than what shows that the file is too large."""
        if self._buffer is not None and len(self._buffer) <= LIMIT:
            self._buffer += view[: LIMIT + 1 - len(self._buffer)]

    def end_file(self) -> None:
        """Take note of a whole file."""
        if self._buffer is not None:
            self.texts[self._path] = bytes(self._buffer)
