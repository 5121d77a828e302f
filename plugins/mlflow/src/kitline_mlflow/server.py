"""The tracking server: the only module that reads from MLflow.

MLflow is imported inside functions: it takes seconds. Nothing global of it is set.
"""

from __future__ import annotations

from functools import cached_property, partial
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from kitline.errors import SourceError

from kitline_mlflow.artifact_hosts import check_artifact_host
from kitline_mlflow.http_files import list_folder
from kitline_mlflow.redact import Redactor, clean_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric, Run, Trace
    from mlflow.entities.model_registry import ModelVersion, PromptVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository
    from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_SQLITE = "sqlite:///"
_ENTRIES = 1_000_000
_HOPS = 10
_DEPTH = 64


class Server:
    """An MLflow tracking server, or a database that serves as one."""

    def __init__(
        self,
        uri: str | None = None,
        *,
        local_artifacts: bool = False,
        artifact_hosts: tuple[str, ...] = (),
    ) -> None:
        """Name the server: `uri`, else `MLFLOW_TRACKING_URI`, else MLflow's default.

        `local_artifacts` says that a server elsewhere may name folders of this machine,
        `artifact_hosts` which other hosts may be sent its credentials.
        """
        import mlflow

        self.uri = uri or mlflow.get_tracking_uri()
        self.name = without_secrets(self.uri)
        self._local_artifacts = local_artifacts
        self._artifact_hosts = artifact_hosts

    @property
    def is_http(self) -> bool:
        """Whether it is a server, not a database."""
        return self.uri.lower().startswith(("http://", "https://"))

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own client for this server."""
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

    def get_run(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            SourceError: if the server does not have it or does not answer.
        """
        return self._get(f"run {run_id!r}", lambda: self.client.get_run(run_id))

    def find_run(self, run_id: str) -> Run | None:
        """Return a run, or None if the server does not have it."""
        return self._find(f"run {run_id!r}", lambda: self.client.get_run(run_id))

    def find_children(self, run: Run) -> list[str]:
        """Return the ids of the runs nested in a run."""
        query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
        what = f"the runs nested in {run.info.run_id!r}"
        return sorted(each.info.run_id for each in self._runs(run.info.experiment_id, query, what))

    def find_experiment_name(self, experiment_id: str) -> str | None:
        """Return the name of an experiment, or None if the server does not have it."""
        what = f"experiment {experiment_id!r}"
        found = self._find(what, lambda: self.client.get_experiment(experiment_id))
        return found.name if found is not None else None

    def get_experiment_id(self, experiment: str) -> str:
        """Return the id of an experiment that is named by id or by name.

        Raises:
            SourceError: if there is no such experiment.
        """
        what = f"experiment {experiment!r}"
        found = None
        if experiment.isdecimal():
            found = self._find(what, lambda: self.client.get_experiment(experiment))
        if found is None:
            found = self._find(what, lambda: self.client.get_experiment_by_name(experiment))
        if found is None:
            raise self._missing(what)
        return str(found.experiment_id)

    def list_runs(self, experiment_id: str) -> list[Run]:
        """Return the active runs of an experiment, the oldest first."""
        return self._runs(experiment_id, "", f"experiment {experiment_id!r}")

    def list_models(self, experiment_id: str) -> list[LoggedModel]:
        """Return the logged models of an experiment, the oldest first."""
        return self._pages(
            f"the models of experiment {experiment_id!r}",
            lambda token: self.client.search_logged_models(
                [experiment_id],
                order_by=[{"field_name": "creation_timestamp", "ascending": True}],
                page_token=token,
            ),
        )

    def get_history(self, run_id: str, key: str) -> list[Metric]:
        """Return all values that a metric had."""
        what = f"metric {key!r} of run {run_id!r}"
        return self._get(what, lambda: list(self.client.get_metric_history(run_id, key)))

    def get_model(self, model_id: str) -> LoggedModel:
        """Return a logged model.

        Raises:
            SourceError: if the server does not have it, or it was deleted.
        """
        what = f"logged model {model_id!r}"
        return self._get(what, lambda: self.client.get_logged_model(model_id))

    def find_model(self, model_id: str) -> LoggedModel | None:
        """Return a logged model, or None if it was deleted."""
        what = f"logged model {model_id!r}"
        return self._find(what, lambda: self.client.get_logged_model(model_id))

    def get_version(self, name: str, version: str | None, alias: str | None) -> ModelVersion:
        """Return a version of a registered model, by number or by alias."""
        if version is not None:
            number, what = version, f"version {version} of model {name!r}"
            return self._get(what, lambda: self.client.get_model_version(name, number))
        champion, what = str(alias), f"model {name!r} with the alias {alias!r}"
        return self._get(what, lambda: self.client.get_model_version_by_alias(name, champion))

    def list_versions(self, name: str) -> list[str]:
        """Return the version numbers of a registered model, the oldest first.

        Raises:
            SourceError: if there is no such model.
        """
        what = f"registered model {name!r}"
        self._get(what, lambda: self.client.get_registered_model(name))
        quoted = name.replace("'", "''")
        found = self._pages(
            what,
            lambda token: self.client.search_model_versions(f"name='{quoted}'", page_token=token),
        )
        return [str(each) for each in sorted(int(version.version) for version in found)]

    def get_prompt(self, name: str, version: str | None, alias: str | None = None) -> PromptVersion:
        """Return a version of a prompt, by number or by alias.

        Raises:
            SourceError: if the server does not have it.
        """
        if version is not None:
            number, what = version, f"version {version} of prompt {name!r}"
            found = self._find(what, lambda: self.client.get_prompt_version(name, number))
        else:
            best, what = str(alias), f"prompt {name!r} with the alias {alias!r}"
            found = self._find(what, lambda: self.client.get_prompt_version_by_alias(name, best))
        if found is None:
            raise self._missing(what)
        return cast("PromptVersion", found)

    def list_traces(self, run: Run) -> list[Trace]:
        """Return the traces of a run."""
        what = f"the traces of run {run.info.run_id!r}"
        return self._pages(
            what,
            lambda token: self.client.search_traces(
                locations=[run.info.experiment_id], run_id=run.info.run_id, page_token=token
            ),
        )

    def open_artifacts(self, location: str) -> ArtifactRepository:
        """Open an artifact folder.

        Raises:
            SourceError: if a server elsewhere names a folder of this machine, or its credentials
                would go to another host.
        """
        # the module path is the one that MLflow's plugin documentation names
        from mlflow.store.artifact.artifact_repo import ArtifactRepository
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        what = f"artifacts at {clean_address(location)!r}"
        artifacts = self._get(
            what, lambda: get_artifact_repository(location, tracking_uri=self.uri)
        )
        for _ in range(_HOPS):  # 'runs:/…' and 'models:/…' stand for a place that the server names
            inner = getattr(artifacts, "repo", None)
            if not isinstance(inner, ArtifactRepository):
                break
            artifacts = inner
        if isinstance(artifacts, HttpArtifactRepository):
            check_artifact_host(str(artifacts.artifact_uri), self.uri, self._artifact_hosts)
        is_local = isinstance(artifacts, LocalArtifactRepository)
        if is_local and not self._local_artifacts and not may_name_folders(self.uri):
            raise SourceError(
                f"the MLflow server {self.name!r} names {location!r}, a folder of this machine, as"
                " the place of its files; if that is a disk that both share, say"
                " '-o local-artifacts=true'"
            )
        return artifacts

    def list_run_files(self, run: Run, limit: int) -> list[tuple[str, int | None]]:
        """Return the files that a run logged, and their sizes, sorted; at most `limit`."""
        return sorted(islice(list_files(self.open_artifacts(run.info.artifact_uri)), limit))

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run; finished runs accept them, deleted ones do not."""
        client = self.client
        for key, value in tags.items():
            client.set_tag(run_id, key, value)

    def tag_model(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a logged model."""
        self.client.set_logged_model_tags(model_id, dict(tags))

    def _runs(self, experiment_id: str, query: str, what: str) -> list[Run]:
        return self._pages(
            what,
            lambda token: self.client.search_runs(
                [experiment_id], query, order_by=["attributes.start_time ASC"], page_token=token
            ),
        )

    def _pages(self, what: str, page: Callable[[str | None], PagedList[Any]]) -> list[Any]:
        found: list[Any] = []
        token: str | None = None
        while True:
            more = self._get(what, partial(page, token))
            found += more
            if not more.token or more.token == token:
                return found
            token = more.token

    def _find(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return self._read(what, read)
        except _Missing:
            return None

    def _get(self, what: str, read: Callable[[], T]) -> T:
        try:
            return self._read(what, read)
        except _Missing as error:
            raise self._missing(what) from error.__cause__

    def _read(self, what: str, read: Callable[[], T]) -> T:
        from mlflow.exceptions import MlflowException

        try:
            return read()
        except MlflowException as error:
            if error.error_code in _MISSING:
                raise _Missing from error
            raise self._failed(what, error) from error
        except OSError as error:  # what MLflow's HTTP client raises is one too
            raise self._failed(what, error) from error

    def _missing(self, what: str) -> SourceError:
        return SourceError(
            f"{what} is not at the MLflow server {self.name!r}; name another with"
            " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
        )

    def _failed(self, what: str, error: Exception) -> SourceError:
        reason = Redactor().text(" ".join(str(error).split()))
        return SourceError(f"cannot read {what} from the MLflow server {self.name!r}: {reason}")

    def _refuse_new_database(self) -> None:
        """MLflow makes an empty database where there is none; reading should not."""
        path = self.uri.removeprefix(_SQLITE)
        if self.uri.startswith(_SQLITE) and not Path(path.partition("?")[0]).is_file():
            raise SourceError(
                f"no MLflow database at {path!r}; name the tracking server with"
                " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
            )


class _Missing(Exception):
    """The server does not have it."""


def may_name_folders(uri: str) -> bool:
    """Tell whether a tracking server is on this machine, so that its folders are ours."""
    parts = urlsplit(uri)
    if parts.scheme.lower() not in ("http", "https"):
        return True  # a database or folder that the user named
    try:
        host = parts.hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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
        where, reason = clean_address(artifacts.artifact_uri), " ".join(str(cause).split())
        raise SourceError(f"cannot list {where!r}: {Redactor().text(reason)}") from cause
    return [(each.path, each.is_dir, each.file_size) for each in found]
