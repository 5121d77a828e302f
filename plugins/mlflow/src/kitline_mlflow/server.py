"""The tracking server: the only module that talks to MLflow.

MLflow is imported inside functions: it takes seconds. Nothing global of it is set.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from kitline.errors import SourceError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_MISSING = "RESOURCE_DOES_NOT_EXIST"
_SQLITE = "sqlite:///"


class Server:
    """An MLflow tracking server, or a database that serves as one."""

    def __init__(self, uri: str | None = None) -> None:
        """Name the server: `uri`, else `MLFLOW_TRACKING_URI`, else MLflow's default."""
        import mlflow

        self.uri = uri or mlflow.get_tracking_uri()
        self.name = without_secrets(self.uri)

    def get_run(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            SourceError: if the server does not have it or does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self._client().get_run(run_id)
        except MlflowException as error:
            raise self._explained(error, f"run {run_id!r}") from error

    def find_model(self, model_id: str) -> LoggedModel | None:
        """Return a logged model, or None if it was deleted."""
        from mlflow.exceptions import MlflowException

        try:
            return self._client().get_logged_model(model_id)
        except MlflowException as error:
            if error.error_code == _MISSING:
                return None
            raise self._explained(error, f"logged model {model_id!r}") from error

    def open_artifacts(self, location: str) -> ArtifactRepository:
        """Open an artifact folder."""
        # the module path is the one that MLflow's plugin documentation names
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(location, tracking_uri=self.uri)

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run; finished runs accept them, deleted ones do not."""
        client = self._client()
        for key, value in tags.items():
            client.set_tag(run_id, key, value)

    def tag_model(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a logged model."""
        self._client().set_logged_model_tags(model_id, dict(tags))

    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        self._refuse_new_database()
        try:
            # without registry_uri MLflow would read the ambient one
            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except ImportError as cause:  # mlflow-skinny has no SQL
            raise SourceError(
                f"MLflow at {self.name!r} needs more than mlflow-skinny: {cause};"
                " run 'pip install mlflow'"
            ) from cause

    def _refuse_new_database(self) -> None:
        """MLflow makes an empty database where there is none; reading should not."""
        path = self.uri.removeprefix(_SQLITE)
        if self.uri.startswith(_SQLITE) and not Path(path.partition("?")[0]).is_file():
            raise SourceError(
                f"no MLflow database at {path!r}; name the tracking server with"
                " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
            )

    def _explained(self, error: MlflowException, what: str) -> SourceError:
        if error.error_code == _MISSING:
            return SourceError(
                f"{what} is not at the MLflow server {self.name!r}; name another with"
                " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
            )
        reason = without_passwords(" ".join(str(error.message).split()))
        return SourceError(f"cannot read {what} from the MLflow server {self.name!r}: {reason}")


def without_secrets(uri: str) -> str:
    """Return a tracking address without password and query; relative databases made absolute."""
    if uri.startswith(_SQLITE):
        path = Path(uri.removeprefix(_SQLITE).partition("?")[0])
        return f"{_SQLITE}{path.absolute()}"
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}" if at else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def list_files(artifacts: ArtifactRepository) -> Iterator[tuple[str, int | None]]:
    """Return all files of an artifact folder with their sizes, as a remote server lists them."""
    waiting: list[str | None] = [None]
    seen: set[str] = set()
    while waiting:
        for each in artifacts.list_artifacts(waiting.pop()):
            if each.path in seen:  # some servers list a folder within itself
                continue
            seen.add(each.path)
            if each.is_dir:
                waiting.append(each.path)
            else:
                yield each.path, each.file_size
