"""Artifact folders: opened where a server says that they are, and listed to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_mlflow.redact import clean_address, reason_of
from kitline_mlflow.remote.http import list_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_ENTRIES = 1_000_000
_HOPS = 10
_DEPTH = 64


def find_repository(location: str, tracking_uri: str) -> ArtifactRepository:
    """Return what reads a folder; of places that stand for another one, what reads that.

    Raises:
        MlflowException: if MLflow does not know such places, or the server not this one.
    """
    # the module path is the one that MLflow's plugin documentation names
    from mlflow.store.artifact.artifact_repo import ArtifactRepository
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    found = get_artifact_repository(location, tracking_uri=tracking_uri)
    for _ in range(_HOPS):  # 'runs:/…' and 'models:/…' stand for a place that the server names
        inner = getattr(found, "repo", None)
        if not isinstance(inner, ArtifactRepository):
            break
        found = inner
    return found


def list_files(artifacts: ArtifactRepository) -> Iterator[tuple[str, int | None]]:
    """Return all files of an artifact folder with their sizes, as a remote server lists them.

    Raises:
        SourceError: if the listing has no end.
    """
    waiting: list[str | None] = [None]
    seen: set[str] = set()
    while waiting:
        for path, is_folder, size in _list_folder(artifacts, waiting.pop()):
            if path in seen:  # some servers list a folder within itself
                continue
            seen.add(path)
            if len(seen) > _ENTRIES or path.count("/") > _DEPTH:
                raise SourceError(
                    f"the listing of {clean_address(artifacts.artifact_uri)!r} has no end: more"
                    f" than {_ENTRIES} entries, or folders more than {_DEPTH} deep"
                )
            if is_folder:
                waiting.append(path)
            else:
                yield path, size


def _list_folder(
    artifacts: ArtifactRepository, path: str | None
) -> Iterable[tuple[str, bool, int | None]]:
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

    if isinstance(artifacts, HttpArtifactRepository):
        return list_folder(artifacts, path)
    try:
        found = artifacts.list_artifacts(path)
    except Exception as cause:  # whatever the store's own client raises
        where = clean_address(artifacts.artifact_uri)
        raise SourceError(f"cannot list {where!r}: {reason_of(cause)}") from cause
    return [(each.path, each.is_dir, each.file_size) for each in found]
