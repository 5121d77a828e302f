"""Told tasks: a push or promotion inside of any task is in its XCom and in its outlets' events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kitline.plugin import WriteBack

from kitline_airflow.asset_uris import repository_of
from kitline_airflow.delivery import emit_events, push_xcoms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import PromotedEvent, PushedEvent

_log = logging.getLogger(__name__)


def tell_pushed(event: PushedEvent) -> WriteBack | None:
    """Tell the task that runs in this process of a kit; None if there is none to tell."""
    done = {
        "reference": str(event.reference),
        "digest": str(event.digest),
        "tag": event.tag,
        "receipt": event.receipt.to_json() if event.receipt else None,
    }
    return _tell(done)


def tell_promoted(event: PromotedEvent) -> WriteBack | None:
    """Tell the task that runs in this process of a promotion; None if there is none to tell."""
    previous = event.previous
    record = getattr(event, "record", None)
    done = {
        "reference": str(event.reference),
        "digest": str(event.digest),
        "stage": event.stage,
        "seq": getattr(event, "seq", None) or None,
        "record": None if record is None else str(record),
        "previous": None if previous is None else str(previous),
    }
    return _tell(done)


def _tell(done: Mapping[str, Any]) -> WriteBack | None:
    context = _running_context()
    if context is None:
        return None
    ti, task = context["ti"], context["task"]
    push_xcoms(context, done)
    repository = str(done["reference"]).rpartition("@")[0]
    outlets = [each for each in task.outlets if _is_of(each, repository)]
    emit_events(context, outlets, done, _log)
    return WriteBack(plugin="airflow", target=f"task {ti.dag_id}/{ti.run_id}/{ti.task_id}")


def _running_context() -> Mapping[str, Any] | None:
    """Return the context of the task that runs; None outside of one, and inside of our operators.

    Those tell by themselves, with partition keys.
    """
    from airflow.providers.common.compat.sdk import get_current_context

    from kitline_airflow.operators.operator import ModelKitOperator

    try:
        context: Mapping[str, Any] = get_current_context()
    except Exception:  # Airflow's way to say that no task runs, of another class in each version
        return None
    return None if isinstance(context.get("task"), ModelKitOperator) else context


def _is_of(outlet: Any, repository: str) -> bool:
    uri = getattr(outlet, "uri", "")
    return bool(uri) and repository_of(uri) == repository
