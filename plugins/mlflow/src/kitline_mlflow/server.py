"""The tracking server: the only module that reads from MLflow.

MLflow is imported inside functions: it takes seconds. Nothing global of it is set.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kitline.errors import SourceError

from kitline_mlflow.redact import clean_address, reason_of
from kitline_mlflow.remote.folders import find_repository, list_files
from kitline_mlflow.remote.hosts import check_artifact_host, check_azure_host
from kitline_mlflow.server_address import SQLITE, may_name_folders, without_secrets
from kitline_mlflow.server_calls import Calls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric, Run, Trace
    from mlflow.entities.model_registry import ModelVersion, PromptVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


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
        self._calls = Calls(self.name)
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
        return self._calls.get(f"run {run_id!r}", lambda: self.client.get_run(run_id))

    def find_run(self, run_id: str) -> Run | None:
        """Return a run, or None if the server does not have it."""
        return self._calls.find(f"run {run_id!r}", lambda: self.client.get_run(run_id))

    def find_children(self, run: Run) -> list[str]:
        """Return the ids of the runs nested in a run."""
        query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
        what = f"the runs nested in {run.info.run_id!r}"
        return sorted(each.info.run_id for each in self._runs(run.info.experiment_id, query, what))

    def find_experiment_name(self, experiment_id: str) -> str | None:
        """Return the name of an experiment, or None if the server does not have it."""
        what = f"experiment {experiment_id!r}"
        found = self._calls.find(what, lambda: self.client.get_experiment(experiment_id))
        return found.name if found is not None else None

    def get_experiment_id(self, experiment: str) -> str:
        """Return the id of an experiment that is named by id or by name.

        Raises:
            SourceError: if there is no such experiment.
        """
        what = f"experiment {experiment!r}"
        found = None
        if experiment.isdecimal():
            found = self._calls.find(what, lambda: self.client.get_experiment(experiment))
        if found is None:
            found = self._calls.find(what, lambda: self.client.get_experiment_by_name(experiment))
        if found is None:
            raise self._calls.missing(what)
        return str(found.experiment_id)

    def list_runs(self, experiment_id: str) -> list[Run]:
        """Return the active runs of an experiment, the oldest first."""
        return self._runs(experiment_id, "", f"experiment {experiment_id!r}")

    def list_models(self, experiment_id: str) -> list[LoggedModel]:
        """Return the logged models of an experiment, the oldest first."""
        return self._calls.pages(
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
        return self._calls.get(what, lambda: list(self.client.get_metric_history(run_id, key)))

    def get_model(self, model_id: str) -> LoggedModel:
        """Return a logged model.

        Raises:
            SourceError: if the server does not have it, or it was deleted.
        """
        what = f"logged model {model_id!r}"
        return self._calls.get(what, lambda: self.client.get_logged_model(model_id))

    def find_model(self, model_id: str) -> LoggedModel | None:
        """Return a logged model, or None if it was deleted."""
        what = f"logged model {model_id!r}"
        return self._calls.find(what, lambda: self.client.get_logged_model(model_id))

    def get_version(self, name: str, version: str | None, alias: str | None) -> ModelVersion:
        """Return a version of a registered model, by number or by alias."""
        if version is not None:
            number, what = version, f"version {version} of model {name!r}"
            return self._calls.get(what, lambda: self.client.get_model_version(name, number))
        champion, what = str(alias), f"model {name!r} with the alias {alias!r}"
        return self._calls.get(what, lambda: self.client.get_model_version_by_alias(name, champion))

    def list_versions(self, name: str) -> list[str]:
        """Return the version numbers of a registered model, the oldest first.

        Raises:
            SourceError: if there is no such model.
        """
        what = f"registered model {name!r}"
        self._calls.get(what, lambda: self.client.get_registered_model(name))
        quoted = name.replace("'", "''")
        found = self._calls.pages(
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
            found = self._calls.find(what, lambda: self.client.get_prompt_version(name, number))
        else:
            best, what = str(alias), f"prompt {name!r} with the alias {alias!r}"
            found = self._calls.find(
                what, lambda: self.client.get_prompt_version_by_alias(name, best)
            )
        if found is None:
            raise self._calls.missing(what)
        return cast("PromptVersion", found)

    def list_traces(self, run: Run) -> list[Trace]:
        """Return the traces of a run."""
        what = f"the traces of run {run.info.run_id!r}"
        return self._calls.pages(
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
        from mlflow.store.artifact.azure_data_lake_artifact_repo import (
            AzureDataLakeArtifactRepository,
        )
        from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        what = f"artifacts at {clean_address(location)!r}"
        artifacts = self._calls.get(what, lambda: _find_repository(location, self.uri))
        if isinstance(artifacts, HttpArtifactRepository):
            check_artifact_host(str(artifacts.artifact_uri), self.uri, self._artifact_hosts)
        if isinstance(artifacts, AzureDataLakeArtifactRepository):
            check_azure_host(str(artifacts.artifact_uri), self._artifact_hosts)
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
        return self._calls.pages(
            what,
            lambda token: self.client.search_runs(
                [experiment_id], query, order_by=["attributes.start_time ASC"], page_token=token
            ),
        )

    def _refuse_new_database(self) -> None:
        """MLflow makes an empty database where there is none; reading should not."""
        path = self.uri.removeprefix(SQLITE)
        if self.uri.startswith(SQLITE) and not Path(path.partition("?")[0]).is_file():
            raise SourceError(
                f"no MLflow database at {path!r}; name the tracking server with"
                " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
            )


def _find_repository(location: str, tracking_uri: str) -> ArtifactRepository:
    """Find what reads a folder; some connect at once, and fail with errors of their own."""
    from mlflow.exceptions import MlflowException

    try:
        return find_repository(location, tracking_uri)
    except (MlflowException, SourceError):
        raise
    except Exception as cause:  # whatever the store's own client raises
        raise SourceError(f"cannot open {clean_address(location)!r}: {reason_of(cause)}") from cause
