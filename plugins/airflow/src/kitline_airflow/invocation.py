"""The run of a task, as kitline's provenance names it: DAG, run, task and try, never in a kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Invocation


def read_invocation(context: Mapping[str, Any]) -> Invocation | None:
    """Return the run that a context belongs to; None outside of a task.

    Its id leaves the try out: a retry is the same invocation, and adds no second statement.
    """
    from kitline.plugin import Invocation

    ti = context.get("ti")
    names = [getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id")]
    if ti is None or not all(names):
        return None
    dag_id, run_id, task_id = (str(name) for name in names)
    index = getattr(ti, "map_index", -1)
    mapped = isinstance(index, int) and index >= 0
    parameters = {
        "dag": dag_id,
        "run": run_id,
        "task": task_id,
        **({"map_index": index} if mapped else {}),
        "try": getattr(ti, "try_number", None),
        "partition_key": getattr(context.get("dag_run"), "partition_key", None),
    }
    return Invocation(
        system="airflow",
        id=_printable("/".join((dag_id, run_id, task_id, *([str(index)] if mapped else [])))),
        parameters={key: value for key, value in parameters.items() if value is not None},
        started=getattr(ti, "start_date", None),
    )


def _printable(text: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown[:1000]
