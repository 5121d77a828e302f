"""Write-back: run and logged model learn the digest of their kit, as tags that can be searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import WriteBack, without_passwords

from kitline_mlflow.importer import MODEL_ID, RUN_ID
from kitline_mlflow.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.plugin import Origin, PushedEvent


def write_back(event: PushedEvent, origin: Origin) -> WriteBack | None:
    """Tag both; the one that fails becomes a warning, since the push stands."""
    run_id = event.manifest.annotations.get(RUN_ID)
    model_id = event.manifest.annotations.get(MODEL_ID)
    if run_id is None or model_id is None:
        return None
    server = _server(origin)
    tags = {"kitline.digest": str(event.digest), "kitline.reference": str(event.reference)}
    problems = [
        problem
        for problem in (
            _attempt(f"run {run_id}", lambda: server.tag_run(run_id, tags)),
            _attempt(f"logged model {model_id}", lambda: server.tag_model(model_id, tags)),
        )
        if problem
    ]
    return WriteBack(
        plugin="mlflow",
        target=f"run {run_id} and logged model {model_id} in MLflow at {server.name}",
        warning="; ".join(problems) or None,
    )


def _server(origin: Origin) -> Server:
    """Return the server of the origin, with the ambient password if it is the ambient server."""
    ambient = Server()
    if origin.server is None or origin.server == ambient.name:
        return ambient
    return Server(origin.server)


def _attempt(what: str, tag: Callable[[], None]) -> str:
    try:
        tag()
    except Exception as error:  # whatever MLflow or its HTTP client raises: the push stands
        return f"{what} was not tagged: {without_passwords(' '.join(str(error).split()))}"
    return ""
