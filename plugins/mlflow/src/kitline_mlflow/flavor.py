"""The flavor: how MLflow and people load models that are kits, and write pointers to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError, TargetError, UsageError
from kitline.plugin import PinnedReference, Reference

from kitline_mlflow.files import FOLDER
from kitline_mlflow.flavor_choice import choose_flavor
from kitline_mlflow.pointer import FLAVOR_NAME, read_folder, read_pointer, write_pointer

if TYPE_CHECKING:
    from types import ModuleType

    from mlflow.models import Model

_WRAPPER = "python_function"
_IDS = ("artifact_path", "model_id", "model_uuid", "run_id", "utc_time_created")


def save_model(
    reference: str | PinnedReference,
    path: str | Path,
    mlflow_model: Model | None = None,
    *,
    inner: str | Path | None = None,
) -> None:
    """Write the pointer model of a kit into a new folder.

    `inner` is a folder with MLmodel and requirements; by default the kit's own, which is fetched.

    Raises:
        InvalidReference: if the reference is not pinned.
        TargetError: if the folder holds something.
    """
    pinned = PinnedReference.parse(str(reference))
    folder = Path(path)
    if folder.exists() and any(folder.iterdir()):
        raise TargetError(f"cannot write a model to {str(folder)!r}: the folder is not empty")
    described = mlflow_model.to_dict() if mlflow_model is not None else {}
    ids = {key: described[key] for key in _IDS if described.get(key)}
    write_pointer(folder, pinned, Path(inner) if inner else _fetch(pinned), ids=ids)
    if mlflow_model is not None:
        _describe(mlflow_model, read_folder(folder))


def load_model(uri: str | Reference, flavor: str | ModuleType | None = None, **kwargs: Any) -> Any:
    """Load a model in the flavor that wrote it, such as a scikit-learn estimator.

    `uri` is whatever MLflow takes (`models:/name@champion`, `modelkit://…`), or a reference; a
    pointer is followed. `flavor` picks one if the model has several; `pyfunc` is always there.

    Raises:
        UsageError: if the model does not have the flavor, or has several.
        VerificationError: if the kit is not what its digest promises.
    """
    folder = _folder(str(uri))
    if flavor is None:
        flavor = _only_flavor(folder)
    module = choose_flavor(None, flavor)
    return module.load_model(str(folder), **kwargs)


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> Any:
    """Load what a pointer points at; called by MLflow with the pointer's folder."""
    import mlflow.pyfunc

    pinned = read_pointer(Path(path))
    if pinned is None:
        raise SourceError(f"the model in {path!r} has no flavor {FLAVOR_NAME!r}")
    return mlflow.pyfunc.load_model(str(_fetch(pinned)), model_config=model_config)


def _describe(model: Model, written: dict[str, Any]) -> None:
    """Put into MLflow's own value what was written, from which it makes the answer of its log."""
    from mlflow.models import ModelSignature

    for name, fields in written["flavors"].items():
        model.add_flavor(name, **fields)
    if model.signature is None and written.get("signature"):
        model.signature = ModelSignature.from_dict(written["signature"])


def _folder(uri: str) -> Path:
    if "://" not in uri and not uri.startswith(("models:", "runs:")) and not Path(uri).exists():
        return _fetch(Reference.parse(uri))
    import mlflow.artifacts

    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    pinned = read_pointer(folder)
    return folder if pinned is None else _fetch(pinned)


def _fetch(reference: Reference) -> Path:
    from kitline_mlflow.cache import fetch

    return fetch(reference, FOLDER)


def _only_flavor(folder: Path) -> str:
    flavors = read_folder(folder).get("flavors")
    names = [name for name in flavors if name != _WRAPPER] if isinstance(flavors, dict) else []
    if len(names) > 1:
        raise UsageError(
            f"the model has the flavors {', '.join(sorted(names))}; choose one with flavor=…"
        )
    return names[0] if names else "pyfunc"
