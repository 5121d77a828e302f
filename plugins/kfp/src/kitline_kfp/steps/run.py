"""Which run a step belongs to: for provenance, never for the content of a kit.

KFP tells a step no run id, but the addresses of its outputs hold it: the run's UUID on a cluster,
the name of the run's folder locally.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kitline.plugin import Invocation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline_kfp.steps.pushed import StepArtifact

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_LOCAL = re.compile(r".+-\d{4}(?:-\d\d){5}-\d{6}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_TEXT_LIMIT = 1000


def find_invocation(
    artifact: StepArtifact | None = None, environ: Mapping[str, str] | None = None
) -> Invocation | None:
    """Return the run of this step, or None if nothing tells.

    `KITLINE_INVOCATION` says it outright; else `KFP_RUN_ID`; else the address of an output.
    """
    environ = os.environ if environ is None else environ
    if environ.get("KITLINE_INVOCATION"):
        return Invocation.from_environment(environ)
    found = _from_environment(environ) or find_run(artifact.uri if artifact else "")
    if found is None:
        return Invocation.from_environment(environ)
    run, task = found
    names = {
        "task": task,
        "mlflowRunId": environ.get("MLFLOW_RUN_ID"),
        "mlflowExperimentId": environ.get("MLFLOW_EXPERIMENT_ID"),
    }
    commit = environ.get("KITLINE_GIT_COMMIT") or environ.get("GIT_COMMIT") or ""
    return Invocation(
        system="kfp",
        id=run,
        parameters={key: value for key, value in names.items() if value and _is_told(value)},
        git_commit=commit if _COMMIT.match(commit) else None,
    )


def find_run(address: str) -> tuple[str, str | None] | None:
    """Return run and task that an output's address names; the task is what follows the run."""
    parts = [unquote(each) for each in address.split("/")]
    if _UUID.match("".join(parts[-4:-3])):  # run/task/salt/name; the root may hold ids of its own
        return parts[-4], parts[-3] or None
    for index, part in enumerate(parts[:-1]):
        if (_UUID.match(part) or _LOCAL.match(part)) and _is_told(part):
            inner = parts[index + 1 : -1]
            inner = inner[:1] if _UUID.match(part) else inner  # a cluster adds salt below the task
            return part, "/".join(inner) or None
    return None


def _from_environment(environ: Mapping[str, str]) -> tuple[str, str | None] | None:
    run = environ.get("KFP_RUN_ID", "")
    return (run, environ.get("KFP_TASK_NAME")) if run and _is_told(run) else None


def _is_told(text: str) -> bool:
    return text.isprintable() and len(text) <= _TEXT_LIMIT
