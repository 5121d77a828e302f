"""Importers by tool: thin, they only put the source together; core and the tool's plugin do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kitline.errors import UsageError

from kitline_airflow.inputs import texts_of
from kitline_airflow.operators.import_ import ModelKitImportOperator

if TYPE_CHECKING:
    from collections.abc import Sequence


class MLflowToModelKitOperator(ModelKitImportOperator):
    """Imports an MLflow run or model; takes kitline-mlflow, here or in `python=`.

    Args:
        run_id: A run that has ended.
        model_name: Instead, or one of the run's models: with `model_version`, a registered one.
        model_version: A version, or `@alias`.
        model_uri: Instead: `models:/iris/3`, `models:/m-…`, `runs:/ID/model`.
        tracking_uri: The MLflow server, if it is not that of the environment.
    """

    template_fields: Sequence[str] = (
        *ModelKitImportOperator.shared_fields,
        "run_id",
        "model_name",
        "model_version",
        "model_uri",
        "tracking_uri",
    )

    def __init__(
        self,
        *,
        run_id: str | None = None,
        model_name: str | None = None,
        model_version: str | int | None = None,
        model_uri: str | None = None,
        tracking_uri: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.model_name = model_name
        self.model_version = model_version
        self.model_uri = model_uri
        self.tracking_uri = tracking_uri

    def read_source(self) -> str:
        named = [bool(self.run_id), bool(self.model_uri), bool(self.source)]
        if sum(named) > 1:
            raise UsageError("give one of 'run_id', 'model_uri' and 'source'")
        if self.run_id:
            return f"runs:/{self.run_id}" + (f"/{self.model_name}" if self.model_name else "")
        if self.model_uri:
            return str(self.model_uri)
        if self.model_name and self.model_version:
            version = str(self.model_version)
            return f"models:/{self.model_name}" + (
                version if version.startswith("@") else f"/{version}"
            )
        return _need(self.source, "'run_id', 'model_uri', or 'model_name' and 'model_version'")

    def read_options(self) -> dict[str, str]:
        return {**texts_of({"tracking_uri": self.tracking_uri}), **texts_of(self.options)}


class DVCToModelKitOperator(ModelKitImportOperator):
    """Imports what DVC tracks at a git revision; takes kitline-dvc, here or in `python=`.

    Args:
        path: A path that DVC tracks, or `dvc.yaml:STAGE`.
        rev: The git revision; a tag or a commit makes runs repeatable.
        repo: The repository: a folder of the worker or an address; by default the working folder.
        remote: The DVC remote, if it is not the repository's default.
    """

    template_fields: Sequence[str] = (
        *ModelKitImportOperator.shared_fields,
        "path",
        "rev",
        "repo",
        "remote",
    )

    def __init__(
        self,
        *,
        path: str | None = None,
        rev: str | None = None,
        repo: str | None = None,
        remote: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.rev = rev
        self.repo = repo
        self.remote = remote

    def read_source(self) -> str:
        if not self.path:
            return _need(self.source, "'path'")
        return f"dvc:{self.path}" + (f"@{self.rev}" if self.rev else "")

    def read_options(self) -> dict[str, str]:
        return {
            **texts_of({"repo": self.repo, "remote": self.remote}),
            **texts_of(self.options),
        }


class KFPToModelKitOperator(ModelKitImportOperator):
    """Imports outputs of a Kubeflow Pipelines run; takes kitline-kfp, here or in `python=`.

    Args:
        run_folder: A finished local run.
        run_id: Instead: a run of the server at `host`.
        host: The server's host and port.
    """

    template_fields: Sequence[str] = (
        *ModelKitImportOperator.shared_fields,
        "run_folder",
        "run_id",
        "host",
    )

    def __init__(
        self,
        *,
        run_folder: str | None = None,
        run_id: str | None = None,
        host: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_folder = run_folder
        self.run_id = run_id
        self.host = host

    def read_source(self) -> str:
        if self.run_folder:
            return f"kfp:{self.run_folder}"
        if self.run_id and self.host:
            return f"kfp://{self.host}/runs/{quote(str(self.run_id), safe='')}"
        return _need(self.source, "'run_folder', or 'host' and 'run_id'")


def _need(source: str, names: str) -> str:
    if not source:
        raise UsageError(f"nothing to import: give {names}, or 'source'")
    return str(source)
