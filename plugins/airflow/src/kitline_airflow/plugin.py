"""The hooks of kitline that this plugin implements; nothing is imported before it is used.

Airflow is no source of kits, so there is no importer: what happens inside of a task, by whichever
call of kitline, is told to that task.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kitline.plugin import hookimpl

if TYPE_CHECKING:
    from kitline.plugin import PromotedEvent, PushedEvent, WriteBack


@hookimpl
def kitline_pushed(event: PushedEvent) -> WriteBack | None:
    """Push the receipt to the XCom of the task that runs, and to the events of its outlets."""
    if "airflow" not in sys.modules:
        return None
    from kitline_airflow.told_tasks import tell_pushed

    return tell_pushed(event)


@hookimpl
def kitline_promoted(event: PromotedEvent) -> WriteBack | None:
    """Tell the outlets of the task that runs which kit a stage points at now."""
    if "airflow" not in sys.modules:
        return None
    from kitline_airflow.told_tasks import tell_promoted

    return tell_promoted(event)
