"""The server that an export writes to: its client, and what it says when it refuses."""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from kitline.errors import TargetError
from kitline.plugin import without_passwords

from kitline_mlflow import tags
from kitline_mlflow.export_ambient import ambient_server
from kitline_mlflow.importer import MODEL_ID
from kitline_mlflow.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import Kit
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

EXPORTED = "kitline.exported-as"
"""On a logged model: `copy` or `pointer`, so that one is not taken for the other."""


class TargetServer:
    """A tracking server, with the registry that belongs to it."""

    def __init__(self, uri: str | None) -> None:
        """Name the server: `uri`, else `MLFLOW_TRACKING_URI`, else MLflow's default."""
        server = Server(uri)
        self.uri, self.name = server.uri, server.name
        self.client: MlflowClient = server.client
        self.open_artifacts = server.open_artifacts

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Do something at this server, and say what if it cannot be done.

        Raises:
            TargetError: in place of MLflow's own errors.
        """
        from mlflow.exceptions import MlflowException

        try:
            # MLflow prints addresses of runs, and stdout is for what a verb made
            with ambient_server(self.uri), redirect_stdout(sys.stderr):
                yield
        except MlflowException as error:
            reason = without_passwords(" ".join(str(error.message).split()))[:500]
            raise TargetError(f"cannot {what} at the MLflow server {self.name!r}: {reason}") from (
                error
            )

    def experiment_id(self, name: str) -> str:
        """Return the experiment, made if there is none of the name.

        Raises:
            TargetError: if one of the name was deleted.
        """
        with self.explained(f"use the experiment {name!r}"):
            found = self.client.get_experiment_by_name(name)
            if found is None:
                return str(self.client.create_experiment(name))
        if found.lifecycle_stage != "active":
            raise TargetError(
                f"the experiment {name!r} at the MLflow server {self.name!r} was deleted;"
                " restore it, or name another with '-o experiment=NAME'"
            )
        return str(found.experiment_id)

    @property
    def is_shared(self) -> bool:
        """Whether other machines may use it."""
        return self.uri.startswith(("http://", "https://"))

    def find_logged_model(self, experiment: str, kit: Kit, mode: str) -> LoggedModel | None:
        """Return the READY model of this kit in an experiment, if there is one.

        For a copy that may be the model that the kit was made from.
        """
        with self.explained(f"search the experiment {experiment!r}"):
            found = self.client.get_experiment_by_name(experiment)
            if found is None:
                return None
            models = self.client.search_logged_models(
                [found.experiment_id],
                filter_string=f"tags.`{tags.DIGEST}` = '{kit.manifest.digest}'",
            )
        origin = kit.manifest.annotations.get(MODEL_ID)
        for each in models:
            is_origin = mode == "copy" and each.model_id == origin
            if str(each.status) == "READY" and (is_origin or each.tags.get(EXPORTED) == mode):
                return each
        return None
