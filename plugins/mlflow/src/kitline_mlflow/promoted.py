"""Promotions: MLflow's alias of a stage's name moves to the version that is the promoted kit.

The version is found by its digest, in the server that the kit was imported from, else in the
ambient one. Where no version has the digest, nothing is there to be moved.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.plugin import Digest, WriteBack

from kitline_mlflow import tags
from kitline_mlflow.aliases import RULE, is_alias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import Origin, PromotedEvent
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from kitline_mlflow.server import Server

_SET = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
_IS_PROMPT = "mlflow.prompt.is_prompt"


def tell_promotion(event: PromotedEvent) -> WriteBack | None:
    """Move the aliases; what fails becomes a warning, since the stage stands."""
    if _names_no_server(event.origin):
        return None
    from kitline_mlflow.redact import reason_of

    reference = str(event.reference)
    try:
        server = _server(event.origin)
        moved = _move(server, event.digest, reference, event.stage)
    except Exception as error:  # whatever MLflow or its HTTP client raises: the stage stands
        call = f"kitline_mlflow.move_aliases({reference!r}, {event.stage!r})"
        return WriteBack(
            plugin="mlflow",
            target=f"alias {event.stage!r}",
            warning=f"MLflow's alias {event.stage!r} was not moved to {reference}:"
            f" {reason_of(error)}; to try again call {call!r}",
        )
    if not moved:
        return None
    named = ", ".join(moved)
    return WriteBack(plugin="mlflow", target=f"alias {event.stage!r} of {named} at {server.name}")


def move_aliases(reference: str, stage: str, *, tracking_uri: str | None = None) -> tuple[str, ...]:
    """Point the alias `stage` at the versions that are the kit; `kitline promote` does so itself.

    Of several versions of one model that are the kit the last one is taken, unless the alias
    points at one of them. Returns what has the alias now, such as `models:/iris/3`.

    Raises:
        UsageError: if MLflow takes no such alias, or the reference has no digest.
        SourceError: if the server does not answer.
    """
    from kitline_mlflow.server import Server

    _, at, digest = reference.rpartition("@")
    if not at:
        raise UsageError(f"cannot move aliases to {reference!r}: it names no digest")
    return _move(Server(tracking_uri), Digest(digest), reference, stage)


def _move(server: Server, digest: Digest, reference: str, stage: str) -> tuple[str, ...]:
    from kitline_mlflow.write_back import client_of

    client = client_of(server)
    by_name: dict[str, list[int]] = {}
    for each in _versions(client, digest, reference):
        by_name.setdefault(each.name, []).append(int(each.version))
    if by_name and not is_alias(stage):
        raise UsageError(f"{stage!r} is no alias that MLflow takes: {RULE}")
    return tuple(
        f"models:/{name}/{_point(client, name, stage, sorted(set(numbers)))}"
        for name, numbers in sorted(by_name.items())
    )


def _point(client: MlflowClient, name: str, alias: str, versions: list[int]) -> int:
    """Point an alias at the last of the versions, unless it is at one; return where it is."""
    pointing = client.get_registered_model(name).aliases.get(alias)
    if pointing is not None and int(pointing) in versions:
        return int(pointing)
    client.set_registered_model_alias(name, alias, str(versions[-1]))
    return versions[-1]


def _versions(client: MlflowClient, digest: Digest, reference: str) -> Iterator[ModelVersion]:
    """Yield the versions that are a kit: by the tag that kitline writes, or by their source."""
    queries = [f"tags.`{tags.DIGEST}` = '{digest}'"]
    if "'" not in reference:
        queries += [f"source_path = 'modelkit://{reference}{end}'" for end in ("/model", "")]
    for query in queries:
        token = None
        while True:
            page = client.search_model_versions(query, page_token=token)
            yield from (each for each in page if _is_kit(each, digest))
            token = page.token
            if not token:
                break


def _is_kit(version: ModelVersion, digest: Digest) -> bool:
    """Tell a version of a model from one of a prompt, and from one with a tag of another kit."""
    source = str(version.source or "")
    names_another = source.lower().startswith("modelkit://") and f"@{digest}" not in source
    return not names_another and _IS_PROMPT not in version.tags


def _server(origin: Origin | None) -> Server:
    from kitline_mlflow.server import Server
    from kitline_mlflow.write_back import server_of

    is_ours = origin is not None and origin.importer == "mlflow"
    return server_of(origin) if origin is not None and is_ours else Server()


def _names_no_server(origin: Origin | None) -> bool:
    """Tell whether nothing says that MLflow is in use; importing it would take seconds."""
    if origin is not None and origin.importer == "mlflow":
        return False
    mlflow = sys.modules.get("mlflow")
    return not any(os.environ.get(each) for each in _SET) and not (
        mlflow is not None and mlflow.is_tracking_uri_set()
    )
