"""The artifact repository behind `oci://`, which Oracle's plugin claims too.

Oracle's addresses are `oci://bucket@namespace/path`. MLflow keeps the last plugin that it finds
for a scheme; if that is this one, Oracle's addresses go on to Oracle's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline_mlflow.repo import ModelkitArtifactRepository

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_GROUP = "mlflow.artifact_repository"
_OURS = "kitline_mlflow."


def oci_artifact_repository(artifact_uri: str, *args: Any, **kwargs: Any) -> ArtifactRepository:
    """Return Oracle's repository for Oracle's addresses, if it is installed, else ours."""
    host = artifact_uri.partition("://")[2].partition("/")[0]
    is_registry = bool(set(host) & {".", ":"}) or host == "localhost"
    other = None if is_registry and "@" not in host else _find_other()
    if other is not None:
        found: ArtifactRepository = other.load()(artifact_uri, *args, **kwargs)
        return found
    return ModelkitArtifactRepository(artifact_uri, *args, **kwargs)


def _find_other() -> EntryPoint | None:
    from importlib.metadata import entry_points

    found = (each for each in entry_points(group=_GROUP, name="oci"))
    return next((each for each in found if not each.value.startswith(_OURS)), None)
