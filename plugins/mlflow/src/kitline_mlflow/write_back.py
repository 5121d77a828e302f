"""Write-back: run, logged model and versions learn the digest of their kit, as searchable tags."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.plugin import WriteBack

from kitline_mlflow import tags
from kitline_mlflow.importer import MODEL_ID, RUN_ID
from kitline_mlflow.manifest_parents import parent_digests
from kitline_mlflow.redact import reason_of
from kitline_mlflow.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kitline.plugin import Origin, PushedEvent
    from mlflow import MlflowClient


@dataclass(frozen=True, kw_only=True)
class Landed:
    """A kit that is there, and what of MLflow it was made of."""

    reference: str
    """The pinned reference."""
    digest: str
    run_id: str | None = None
    model_id: str | None = None
    parents: tuple[str, ...] = ()
    """Digests."""

    @property
    def tags(self) -> dict[str, str]:
        """What run, logged model and versions are tagged with."""
        found = {tags.DIGEST: self.digest, tags.REFERENCE: self.reference}
        return found | ({tags.PARENT: ",".join(self.parents)} if self.parents else {})


def write_back(event: PushedEvent, origin: Origin) -> WriteBack | None:
    """Tag what the kit was made of; what fails becomes a warning, since the push stands."""
    annotations = event.manifest.annotations
    landed = Landed(
        reference=str(event.reference),
        digest=str(event.digest),
        run_id=annotations.get(RUN_ID),
        model_id=annotations.get(MODEL_ID),
        parents=parent_digests(annotations),
    )
    if landed.run_id is None and landed.model_id is None:
        return None
    name = f"{event.reference.name}:{event.tag}" if event.tag else event.reference.name
    return tag_all(
        server_of(origin), landed, again=import_command(origin.source, name, origin.server)
    )


def tag_all(server: Server, landed: Landed, *, again: str) -> WriteBack:
    """Tag run, logged model and its versions; `again` is the command that tries once more."""
    attempts: list[tuple[str, Callable[[], None]]] = []
    run_id, model_id = landed.run_id, landed.model_id
    if run_id is not None:
        attempts.append((f"run {run_id} was", lambda: server.tag_run(run_id, landed.tags)))
    if model_id is not None:
        attempts += [
            (f"logged model {model_id} was", lambda: server.tag_model(model_id, landed.tags)),
            (f"versions of {model_id} were", lambda: _tag_versions(server, model_id, landed.tags)),
        ]
    problems = [problem for what, tag in attempts if (problem := _attempt(what, tag))]
    told = {"run": run_id, "logged model": model_id}
    target = " and ".join(f"{what} {name}" for what, name in told.items() if name)
    return WriteBack(
        plugin="mlflow",
        target=f"{target} in MLflow at {server.name}",
        warning="; ".join([*problems, f"to try again run '{again}'"]) if problems else None,
    )


def import_command(source: str, to: str, server: str | None) -> str:
    """Return the command that imports again; what is there already is not sent again."""
    words = ["kitline", "import", source, "-t", to]
    if server is not None:
        words += ["-o", f"tracking_uri={server}"]
    return shlex.join(words)


def server_of(origin: Origin) -> Server:
    """Return the server of the origin, with the ambient password if it is the ambient server."""
    ambient = Server()
    if origin.server is None or origin.server == ambient.name:
        return ambient
    return Server(origin.server)


def client_of(server: Server) -> MlflowClient:
    """Return a client whose registry is the server's, or the ambient one of the ambient server."""
    import mlflow

    is_ambient = server.uri == mlflow.get_tracking_uri()
    registry = mlflow.get_registry_uri() if is_ambient else server.uri
    return mlflow.MlflowClient(tracking_uri=server.uri, registry_uri=registry)


def _tag_versions(server: Server, model_id: str, wanted: Mapping[str, str]) -> None:
    client = client_of(server)
    for each in client.search_model_versions(f"source_path = 'models:/{model_id}'"):
        for key, value in wanted.items():
            if each.tags.get(key) != value:
                client.set_model_version_tag(each.name, each.version, key, value)


def _attempt(what: str, tag: Callable[[], None]) -> str:
    try:
        tag()
    except Exception as error:  # whatever MLflow or its HTTP client raises: the push stands
        return f"{what} not tagged: {reason_of(error)}"
    return ""
