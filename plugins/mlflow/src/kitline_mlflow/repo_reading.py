"""Reading for the artifact repository: whole addresses, kits from the cache, MLflow's errors.

Every function reads the whole address, which checks it, and asks the policy, before anything else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kitline.errors import (
    AccessDenied,
    AuthenticationFailed,
    KitlineError,
    NotFound,
    PolicyError,
    RegistryUnreachable,
    UsageError,
)

from kitline_mlflow.cache import fetch, folder_of, outline, pin
from kitline_mlflow.cache_view import copy_out, view
from kitline_mlflow.uri import MODEL, ModelkitURI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import FileInfo

_MLMODEL = "MLmodel"
_CODES = (
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (AuthenticationFailed, "UNAUTHENTICATED"),
    (AccessDenied, "PERMISSION_DENIED"),
    (RegistryUnreachable, "TEMPORARILY_UNAVAILABLE"),
    (PolicyError, "PERMISSION_DENIED"),
    (UsageError, "INVALID_PARAMETER_VALUE"),
    (KitlineError, "INTERNAL_ERROR"),
)


def list_artifacts(artifact_uri: str, path: str | None) -> list[FileInfo]:
    """List a folder of a kit, as paths relative to `artifact_uri`."""
    from mlflow.entities import FileInfo

    with as_mlflow_errors():
        uri = _pinned(artifact_uri, path)
        before = f"{path}/" if path else ""
        return [
            FileInfo(before + name, is_folder, size)
            for name, is_folder, size in sorted(_children(uri))
        ]


def download_artifacts(artifact_uri: str, artifact_path: str | None, dst_path: str | None) -> str:
    """Copy what lies at a path; without destination it is links to the cache."""
    with as_mlflow_errors():
        uri = _pinned(artifact_uri, artifact_path)
        place = None if dst_path is None else _existing_folder(dst_path)
        source = _find(uri)
        name = uri.path.rpartition("/")[2] or uri.reference.repository.rpartition("/")[2]
        if place is None:
            return str(view(folder_of(uri), source, name))
        local = _local_path(artifact_path or ("" if source.is_dir() else name))
        copy_out(source, place / local)
        return str(place / local)


def download_file(artifact_uri: str, remote_file_path: str, local_path: str) -> None:
    """Copy one file to a path."""
    with as_mlflow_errors():
        source = fetch(_pinned(artifact_uri, remote_file_path))
        if not source.is_file():
            raise NotFound(f"{remote_file_path!r} in {artifact_uri!r} is not a file")
        copy_out(source, Path(local_path))


def refuse_to_write(artifact_uri: str, attempt: str) -> NoReturn:
    """Raise MLflow's error for whatever would change a kit."""
    from kitline.plugin import without_passwords

    with as_mlflow_errors():
        raise UsageError(
            f"cannot {attempt} in {without_passwords(artifact_uri)!r}: a kit never changes; make a"
            " new one with kitline_mlflow.log_model or kitline_mlflow.log_modelkit"
        )


def join(artifact_uri: str, path: str | None) -> str:
    """Put together what MLflow took apart."""
    scheme, _, rest = artifact_uri.partition(":")
    if rest.startswith("/") and not rest.startswith("//"):
        rest = f"//{rest}"  # urllib writes an empty host as one slash
    text = f"{scheme}:{rest}"
    return f"{text.removesuffix('/')}/{path}" if path else text


def _pinned(artifact_uri: str, path: str | None) -> ModelkitURI:
    return pin(ModelkitURI.parse(join(artifact_uri, path)))


def _find(uri: ModelkitURI) -> Path:
    """Return what an address means; a kit as a whole is the model in it if MLflow can load that."""
    if not uri.path and outline(uri).model is not None:
        model = fetch(uri, MODEL)
        if (model / _MLMODEL).is_file():
            return model
    return fetch(uri)


def _children(uri: ModelkitURI) -> Iterator[tuple[str, bool, int | None]]:
    """Yield name, whether it is a folder, and size of what lies directly in a folder."""
    if not uri.path and all(part.path != "." for part in outline(uri).parts):
        yield from _top(uri)
        return
    try:
        found = fetch(uri)
    except NotFound:
        return
    if found.is_dir():
        for each in found.iterdir():
            yield _entry(each, each.name)


def _top(uri: ModelkitURI) -> Iterator[tuple[str, bool, int | None]]:
    """Yield the top of a kit; a layer is fetched only to see whether it is a file or a folder."""
    paths = {part.path for part in outline(uri).parts}
    for name in {path.partition("/")[0] for path in paths}:
        if any(path.startswith(f"{name}/") for path in paths):
            yield name, True, None
        else:
            yield _entry(fetch(ModelkitURI(reference=uri.reference), name), name)
    with contextlib.suppress(NotFound):
        yield _entry(fetch(uri, "Kitfile"), "Kitfile")


def _entry(path: Path, name: str) -> tuple[str, bool, int | None]:
    is_folder = path.is_dir()
    return name, is_folder, None if is_folder else path.stat().st_size


def _local_path(artifact_path: str) -> str:
    """Return a path below the destination: a segment that names the kit loses tag and digest."""
    segments = artifact_path.strip("/").split("/")
    return "/".join(
        each.partition("@sha256:")[0].partition(":")[0] if "@sha256:" in each else each
        for each in segments
    )


def _existing_folder(dst_path: str) -> Path:
    place = Path(os.path.abspath(dst_path))
    if not place.exists():
        raise NotFound(f"cannot download to {str(place)!r}: there is no such folder")
    if not place.is_dir():
        raise UsageError(f"cannot download to {str(place)!r}: it is no folder")
    return place


@contextlib.contextmanager
def as_mlflow_errors() -> Iterator[None]:
    """Raise kitline's errors as MLflow's, which servers and clients tell apart by their code."""
    try:
        yield
    except KitlineError as error:
        from mlflow.exceptions import MlflowException
        from mlflow.protos import databricks_pb2

        code = next(code for kind, code in _CODES if isinstance(error, kind))
        raise MlflowException(str(error), getattr(databricks_pb2, code)) from error
