"""A context as small as `execute` needs it, and what was handed on through it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import airflow
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

airflow_3 = pytest.mark.skipif(
    airflow.__version__ < "3",
    reason="Airflow 2 has no asset watchers and partition keys, and 'dags test' writes no events",
)


class Accessor:
    """What a task says in the event of one outlet."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.keys: list[str] = []

    def add_partitions(self, keys: str | list[str]) -> None:
        self.keys += [keys] if isinstance(keys, str) else keys


class OutletEvents(defaultdict[str, Accessor]):
    """By URI, for assets of Airflow 2 cannot be keys."""

    def __init__(self) -> None:
        super().__init__(Accessor)

    def __getitem__(self, key: Any) -> Accessor:
        return super().__getitem__(getattr(key, "uri", key))


@dataclass
class FakeTask:
    """One try of a task."""

    dag_id: str = "train"
    run_id: str = "manual__1"
    task_id: str = "push"
    map_index: int = -1
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def make_context(**more: Any) -> dict[str, Any]:
    """Return a context; `more` replaces parts of the task instance."""
    run = SimpleNamespace(partition_key=None, run_after=None, start_date=None)
    return {"ti": FakeTask(**more), "outlet_events": OutletEvents(), "dag_run": run}


def execute_and_kill(
    operator: Any, is_time: Callable[[], object], *, match: str | None = "was ended"
) -> None:
    """Execute an operator that is killed as soon as `is_time` says so, and has to say it was."""
    from airflow.providers.common.compat.sdk import AirflowException

    def end() -> None:
        while not is_time():
            time.sleep(0.001)
        operator.on_kill()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(AirflowException, match=match):
        operator.execute(make_context())
    thread.join()
