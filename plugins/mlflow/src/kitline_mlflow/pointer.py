"""Pointer model: an MLflow model that holds a digest instead of weights.

Its MLmodel has the signature and the requirements of the model in the kit. Loading it fetches the
model by digest, verifies it and hands it to the flavor that wrote it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import PinnedReference

from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_yaml import LIMIT, read_small, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import Entry

FLAVOR_NAME = "modelkit"
LOADER = "kitline_mlflow"
"""What MLflow imports to load a pointer; its `_load_pyfunc` is called."""
_COPIED = (
    "mlflow_version",
    "signature",
    "metadata",
    "is_signature_from_type_hint",
    "type_hint_from_example",
)
_COPIED_WRAPPER = ("env", "python_version", "streamable", "predict_stream_fn")
_ENVIRONMENT = ("requirements.txt", "conda.yaml", "python_env.yaml")
_REQUIREMENT = "kitline-mlflow"


def write_pointer(
    folder: Path,
    pinned: PinnedReference,
    inner: Path | Mapping[str, bytes] | None = None,
    *,
    ids: Mapping[str, str] | None = None,
) -> None:
    """Write the pointer to a kit into a new `folder`.

    `inner` is the model in the kit: its folder, or its small files (`MLmodel`, `requirements.txt`,
    `conda.yaml`, `python_env.yaml`) by name. Without it the pointer loads all the same, but has no
    signature and no requirements. `ids` are keys of MLmodel that belong to the new logged model:
    `model_id`, `model_uuid`, `run_id`, `artifact_path`, `utc_time_created`.

    Raises:
        SourceError: if the inner MLmodel is not what MLflow writes.
    """
    import yaml

    small = small_files(inner) if isinstance(inner, Path) else dict(inner or {})
    described = _described(pinned, small.pop("MLmodel", None)) | dict(ids or {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text(yaml.safe_dump(described, allow_unicode=True), "utf-8")
    for name in _ENVIRONMENT:
        if name in small:
            (folder / name).write_bytes(_with_kitline(name, small[name]))


def read_pointer(folder: Path) -> PinnedReference | None:
    """Return where a model folder points, or None if it is no pointer.

    Raises:
        SourceError: if it is one and names no kit.
    """
    flavors = read_folder(folder).get("flavors")
    own = flavors.get(FLAVOR_NAME) if isinstance(flavors, dict) else None
    if own is None:
        return None
    reference = own.get("reference") if isinstance(own, dict) else None
    if not isinstance(reference, str):
        raise SourceError(f"the pointer model in {str(folder)!r} names no reference")
    pinned = PinnedReference.parse(reference)
    if str(pinned.digest) != own.get("digest"):
        raise SourceError(
            f"the pointer model in {str(folder)!r} names the digest {own.get('digest')!r}"
            f" and the reference {reference!r}"
        )
    return pinned


def read_folder(folder: Path) -> dict[str, Any]:
    """Return what the MLmodel in a folder says.

    Raises:
        SourceError: if it is not what MLflow writes.
    """
    path = folder / "MLmodel"
    return read_yaml(path.read_bytes(), repr(str(path)))


def _described(pinned: PinnedReference, mlmodel: bytes | None) -> dict[str, Any]:
    inner = read_yaml(mlmodel, "the MLmodel") if mlmodel is not None else {}
    flavors = inner.get("flavors")
    wrapper = flavors.get("python_function") if isinstance(flavors, dict) else None
    wrapper = wrapper if isinstance(wrapper, dict) else {}
    return {key: inner[key] for key in _COPIED if key in inner} | {
        "flavors": {
            FLAVOR_NAME: {
                "digest": str(pinned.digest),
                "reference": str(pinned),
                "path": FOLDER,
            },
            # no `data`: MLflow joins it to the folder unchecked
            "python_function": {key: wrapper[key] for key in _COPIED_WRAPPER if key in wrapper}
            | {"loader_module": LOADER},
        }
    }


def small_files(folder: Path) -> dict[str, bytes]:
    """Return what a pointer takes from the folder of a model: MLmodel and the environment."""
    found = {}
    for name in ("MLmodel", *_ENVIRONMENT):
        path = folder / name
        if path.is_file() and not path.is_symlink():
            found[name] = path.read_bytes()
    return found


def small_entries(files: Iterable[Entry]) -> dict[str, bytes]:
    """Return the same from the files of a kit."""
    wanted = {f"{FOLDER}/{name}": name for name in ("MLmodel", *_ENVIRONMENT)}
    return {
        wanted[each.path]: read_small(each, LIMIT, repr(each.path))
        for each in files
        if each.path in wanted
    }


def _with_kitline(name: str, content: bytes) -> bytes:
    """Return a file of the environment with what loading a pointer needs besides."""
    if name == "requirements.txt":
        return content.rstrip() + f"\n{_REQUIREMENT}\n".encode()
    if name == "python_env.yaml":
        return content
    import yaml

    conda = read_yaml(content, name)
    listed = conda.get("dependencies")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("pip"), list):
            each["pip"].append(_REQUIREMENT)
    return yaml.safe_dump(conda, sort_keys=False, allow_unicode=True).encode()
