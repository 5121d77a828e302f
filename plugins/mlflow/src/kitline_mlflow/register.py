"""Registering: a kit becomes a version of a registered model, once per digest.

What a version's source is, is said by `register_as`: `model` is MLflow's own `models:/m-…`, which
loads with kitline gone; `modelkit` is the digest itself; `pointer` is a logged model that holds
the digest. A server that refuses a `modelkit` source gets a pointer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.plugin import without_passwords

from kitline_mlflow import tags as names
from kitline_mlflow.export_ambient import ambient_server
from kitline_mlflow.log_pointer import log_pointer
from kitline_mlflow.registration import known_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kitline.plugin import PinnedReference
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from kitline_mlflow.registration import RegisterAs

_VERSIONS_TAG = "mlflow.modelVersions"
_EXISTS = ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS")
_REFUSED = ("INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "BAD_REQUEST")


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """A version of a registered model whose digest is known."""

    name: str
    version: str
    source: str
    kind: str = "model"
    existed: bool = False
    """Whether it was there before, so that no version was made."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def uri(self) -> str:
        """What MLflow's functions take: `models:/name/version`."""
        return f"models:/{self.name}/{self.version}"


def register_version(
    client: MlflowClient,
    name: str,
    pinned: PinnedReference,
    *,
    model_id: str | None = None,
    run_id: str | None = None,
    register_as: RegisterAs = "model",
    aliases: Iterable[str] = (),
    tags: Mapping[str, str] | None = None,
    inner: Path | Mapping[str, bytes] | None = None,
    experiment_id: str | None = None,
) -> RegisteredVersion:
    """Make the version of `name` that is the kit `pinned`, or find the one that there is.

    `tags` come on top of digest and reference. `inner` (see `write_pointer`) and `experiment_id`
    (default: that of `model_id`, of `run_id`, or MLflow's default) serve the pointer.

    Raises:
        UsageError: if `register_as` is unknown, or is `model` and there is no `model_id`.
        MlflowException: if the server does not answer or refuses for good.
    """
    known_kind(register_as)
    if register_as == "model" and model_id is None:
        raise UsageError(f"register_as='model' for {name!r} needs the id of a logged model")
    with ambient_server(client.tracking_uri):
        found = _find_version(client, name, pinned, register_as)
        existed = found is not None
        warning = None
        if found is None:
            _make_name(client, name)
            maker = _Maker(client, name, pinned, model_id, run_id, experiment_id, inner, tags or {})
            found, warning = maker.make(register_as)
        for alias in aliases:
            client.set_registered_model_alias(name, alias, found.version)
    kind = found.tags.get(names.SOURCE_KIND, register_as)
    return RegisteredVersion(
        name=name,
        version=str(found.version),
        source=str(found.source),
        kind=kind,
        existed=existed,
        warnings=(warning,) if warning else (),
    )


@dataclass(frozen=True)
class _Maker:
    """One new version."""

    client: MlflowClient
    name: str
    pinned: PinnedReference
    model_id: str | None
    run_id: str | None
    experiment_id: str | None
    inner: Path | Mapping[str, bytes] | None
    tags: Mapping[str, str]

    def make(self, kind: RegisterAs) -> tuple[ModelVersion, str | None]:
        from mlflow.exceptions import MlflowException

        if kind == "model":
            return self._version(kind, f"models:/{self.model_id}", self.model_id), None
        if kind == "pointer":
            return self._pointer(), None
        from kitline_mlflow.uri import model_source

        try:
            return self._version(kind, model_source(self.pinned), self.model_id), None
        except MlflowException as error:
            if error.error_code not in _REFUSED:
                raise
            reason = without_passwords(" ".join(str(error.message).split()))
            return self._pointer(), (
                f"the server takes no modelkit:// source, so {self.name!r} got a pointer: {reason}"
            )

    def _version(self, kind: str, source: str, model_id: str | None) -> ModelVersion:
        made = self.client.create_model_version(
            self.name,
            source,
            run_id=self.run_id,
            model_id=model_id,
            tags={
                **self.tags,
                names.DIGEST: str(self.pinned.digest),
                names.REFERENCE: str(self.pinned),
                names.SOURCE_KIND: kind,
            },
            await_creation_for=0,
        )
        if model_id is not None:
            _link(self.client, model_id, made)
        return made

    def _pointer(self) -> ModelVersion:
        model_id = log_pointer(
            self.client,
            self.pinned,
            name=self.name,
            inner=self.inner,
            run_id=self.run_id,
            experiment_id=self.experiment_id or self._experiment(),
        )
        return self._version("pointer", f"models:/{model_id}", model_id)

    def _experiment(self) -> str:
        if self.model_id is not None:
            return str(self.client.get_logged_model(self.model_id).experiment_id)
        if self.run_id is not None:
            return str(self.client.get_run(self.run_id).info.experiment_id)
        return "0"


def _find_version(
    client: MlflowClient, name: str, pinned: PinnedReference, kind: RegisterAs
) -> ModelVersion | None:
    """Return the version that has the digest already, the same kind of source preferred."""
    accepted = (kind, "pointer") if kind == "modelkit" else (kind,)
    query = f"tags.`{names.DIGEST}` = '{pinned.digest}'"
    token = None
    while True:
        page = client.search_model_versions(query, page_token=token)
        for each in page:  # the name is compared here: in a filter it would need quoting
            if each.name == name and each.tags.get(names.SOURCE_KIND) in accepted:
                return each
        token = page.token
        if not token:
            return None


def _make_name(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code not in _EXISTS:
            raise


def _link(client: MlflowClient, model_id: str, version: ModelVersion) -> None:
    """Do what MLflow's own `register_model` does: the logged model lists its versions.

    A server has done so by then, with the number as a text; a database has not.
    """
    try:
        listed = json.loads(client.get_logged_model(model_id).tags.get(_VERSIONS_TAG, "[]"))
        known = {(each["name"], str(each["version"])) for each in listed}
        if (version.name, str(version.version)) not in known:
            listed.append({"name": version.name, "version": version.version})
            client.set_logged_model_tags(model_id, {_VERSIONS_TAG: json.dumps(listed)})
    except Exception:  # the link serves the web page only; a foreign id is no error for MLflow
        return
