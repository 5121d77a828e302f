"""Traces of a run, only on request: they hold what people typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kitline.plugin import Statement

from kitline_mlflow.facts_history import canonical

if TYPE_CHECKING:
    from mlflow.entities import Run

    from kitline_mlflow.redact import Redactor
    from kitline_mlflow.server import Server

PREDICATE_TYPE = "https://kitline.io/mlflow-traces/v1"


def run_traces(server: Server, run: Run, redactor: Redactor) -> Statement:
    """Return the traces of a run as they are now, oldest first, secrets replaced."""
    rows = [
        json.loads(redactor.text(each.to_json()))
        for each in sorted(
            server.list_traces(run), key=lambda each: (each.info.request_time, each.info.trace_id)
        )
    ]
    lines = "".join(f"{canonical(row)}\n" for row in rows)
    predicate = {"run": run.info.run_id, "count": len(rows), "traces": lines}
    return Statement(predicate_type=PREDICATE_TYPE, predicate=predicate)
