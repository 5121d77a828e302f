"""Serialisation formats of a kit: what it says of itself, and what the names of its files say.

Nothing is opened. `pickle` stands for everything that unpickles when it is loaded.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, PolicyError
from kitline.kit.load import kit_format, load_kit
from kitline.oci import media_types
from kitline.oci.manifest import ImageIndex, ImageManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kitline.oci.manifest import Manifest
    from kitline.store.interface import Store

MLFLOW_SERIALISATION = "io.kitline.mlflow.serialization"
"""What the MLflow importer writes of a model: formats, with commas between them."""
MLFLOW_EXECUTES = "io.kitline.mlflow.executes-on-load"
EXECUTES = "executes-on-load"
"""A word for `forbidden_formats`: whatever may run code of its own while MLflow loads it."""
PICKLES = frozenset({"pickle", "cloudpickle", "joblib", "dill", "torch"})
"""What unpickles when it is loaded; a policy that forbids `pickle` forbids all of them."""
SUFFIXES = {
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".cloudpickle": "cloudpickle",
    ".joblib": "joblib",
    ".dill": "dill",
    ".pt": "torch",
    ".pth": "torch",
    ".ckpt": "torch",
    ".skops": "skops",
    ".h5": "keras",
    ".keras": "keras",
    ".npy": "numpy",
    ".npz": "numpy",
    ".safetensors": "safetensors",
    ".onnx": "onnx",
    ".gguf": "gguf",
    ".pb": "tensorflow",
    ".pmml": "pmml",
    ".tflite": "tflite",
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".z")


def forbidden_in(
    kits: Iterable[ImageManifest], store: Store, forbidden: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each forbidden format that kits say to hold."""
    for kit in kits:
        for what, formats in _said(store, kit):
            for each in formats:
                if is_forbidden(each, forbidden):
                    yield f"{what} is {each!r}, which is forbidden"


def is_forbidden(found: str, forbidden: Sequence[str]) -> bool:
    """Tell whether a format is forbidden by its name or as one of its family."""
    return found in forbidden or ("pickle" in forbidden and found in PICKLES)


def formats_of(path: str) -> list[str]:
    """Return what a file's name says of its format: the format, and the ending itself."""
    name = PurePosixPath(path.lower())
    while name.suffix in _COMPRESSED:
        name = name.with_suffix("")
    found = [SUFFIXES.get(name.suffix, ""), name.suffix.removeprefix(".")]
    if name.suffix == ".bin" and name.name.startswith("pytorch_model"):
        found.append("torch")
    return [each for each in found if each]


def file_check(forbidden: Sequence[str]) -> Callable[[str], None]:
    """Return what refuses a file by its name, for reading layers."""

    def check(path: str) -> None:
        for each in formats_of(path):
            if is_forbidden(each, forbidden):
                raise PolicyError(
                    f"policy refuses file {path!r} of the kit: it is {each!r}, which is forbidden;"
                    " nothing was kept"
                )

    return check


def kits_below(store: Store, manifest: Manifest) -> tuple[ImageManifest, ...]:
    """Return the manifest, or the kits that an index names, also through other indexes."""
    found: list[ImageManifest] = []
    seen, waiting = {manifest.digest}, [manifest]
    while waiting:
        here = waiting.pop()
        if isinstance(here, ImageManifest):
            found.append(here)
        elif isinstance(here, ImageIndex):
            new = [each.digest for each in here.references if each.digest not in seen]
            seen |= set(new)
            waiting += [each for name in new if (each := store.find_manifest(name)) is not None]
    return tuple(found)


def _said(store: Store, kit: ImageManifest) -> Iterator[tuple[str, list[str]]]:
    """Yield what names formats, and which."""
    recorded = kit.annotations.get(MLFLOW_SERIALISATION, "")
    yield "its model, as MLflow recorded,", _words(recorded)
    if kit.annotations.get(MLFLOW_EXECUTES) == "true":
        yield "its model, as MLflow recorded,", [EXECUTES]
    for layer in kit.layers:
        for key in (media_types.FILEPATH, media_types.OLD_FILEPATH, media_types.TITLE):
            yield from _named(layer.annotations.get(key, ""))
    if kit_format(kit) is None:
        return
    try:
        loaded = load_kit(store, kit)
    except KitlineError:
        return  # whoever reads it says what is wrong with it
    model = loaded.kitfile.model
    if model is not None:
        yield "model.format", _words(model.format)
        yield from _named(model.path)
    for part, _ in loaded.layers:
        yield from _named(part.clean_path)


def _named(path: str) -> Iterator[tuple[str, list[str]]]:
    found = formats_of(path)
    if found:
        yield f"{path!r}", found


def _words(text: str) -> list[str]:
    return [each.strip().lower() for each in text.split(",") if each.strip()]
