"""Provenance of a model: which program made it, from which commit, with which server.

All of it is fixed once the model is READY, so that telling it twice makes one statement. Folders
of the machine where it was made are left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidReference
from kitline.plugin import Reference, provenance

from kitline_mlflow.redact import clean_address

if TYPE_CHECKING:
    from kitline.plugin import Parent, Statement
    from mlflow.entities import LoggedModel, Run

    from kitline_mlflow.redact import Redactor
    from kitline_mlflow.server import Server

BUILD_TYPE = "https://kitline.io/mlflow-training/v1"
BUILDER = "https://kitline.io/builder/mlflow/v1"
"""What kitline calls whoever builds in an MLflow run, here and in an invocation of that system."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_TEXT = 500
_PARENTS = 20


def run_provenance(
    server: Server,
    run: Run | None,
    model: LoggedModel | None,
    parents: tuple[Parent, ...],
    redactor: Redactor,
) -> Statement:
    """Return the provenance of what a run made."""
    tags = run.data.tags if run is not None else {}
    external = {
        "run": run.info.run_id if run is not None else None,
        "model": model.model_id if model is not None else None,
        "program": redactor.text(_program(tags.get("mlflow.source.name", "")))[:_TEXT],
        "entryPoint": redactor.text(tags.get("mlflow.project.entryPoint", ""))[:_TEXT],
        "kind": tags.get("mlflow.source.type", "")[:_TEXT],
    }
    return provenance(
        build_type=BUILD_TYPE,
        external_parameters={key: value for key, value in external.items() if value},
        internal_parameters=_place(server),
        resolved_dependencies=[*_source(tags, redactor), *map(_found, parents[:_PARENTS])],
        invocation_id=run.info.run_id if run is not None else None,
        started=_time(run.info.start_time) if run is not None else None,
        finished=_time(model.creation_timestamp) if model is not None else None,
        builder_id=BUILDER,
    )


def _program(name: str) -> str:
    is_path = name.startswith("/") or "\\" in name or name[1:2] == ":"
    return PurePath(name.replace("\\", "/")).name if is_path else name


def _place(server: Server) -> dict[str, str]:
    """Return the server's address; a database is a file of one machine, or has passwords."""
    return {"server": clean_address(server.name)[:_TEXT]} if server.is_http else {}


def _found(parent: Parent) -> Parent:
    """Return a parent with its address; a name in the store of one machine is none."""
    try:
        is_address = parent.reference and not Reference.parse(parent.reference).is_bare
    except InvalidReference:
        is_address = False
    return parent if is_address else replace(parent, reference=None)


def _source(tags: dict[str, str], redactor: Redactor) -> list[dict[str, Any]]:
    commit = tags.get("mlflow.source.git.commit", "")
    if not _COMMIT.match(commit):
        return []
    dependency: dict[str, Any] = {"digest": {"gitCommit": commit}}
    if address := tags.get("mlflow.source.git.repoURL", ""):
        cleaned = redactor.text(clean_address(address))[:_TEXT]
        dependency["uri"] = cleaned if cleaned.startswith("git+") else f"git+{cleaned}"
    if branch := tags.get("mlflow.source.git.branch", ""):
        dependency["annotations"] = {"branch": redactor.text(branch)[:_TEXT]}
    return [dependency]


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds // 1000, UTC) if milliseconds else None
