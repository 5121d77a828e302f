"""Work alongside begins with the first bytes, once, and is done at the end if there were none."""

from __future__ import annotations

import threading

import pytest
from kitline.errors import PluginError
from kitline.operations.alongside import Alongside
from kitline.store.progress import SILENT


class Noted:
    """A Progress that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, name: str, total: int | None, /) -> Noted:
        self.told.append((name, total))
        return self

    def advance(self, count: int, /) -> None:
        self.told.append(count)

    def end(self, outcome: str, /) -> None:
        self.told.append(outcome)


def test_the_first_bytes_begin_the_work_and_progress_is_passed_on() -> None:
    begun, progress = threading.Event(), Noted()

    with Alongside(begun.set, progress) as alongside:
        task = alongside.begin("model", 7)
        assert not begun.wait(0.05)
        task.advance(7)
        assert begun.wait(30)
        task.end("pushed")

    assert progress.told == [("model", 7), 7, "pushed"]


def test_without_bytes_the_work_is_done_when_its_result_is_needed() -> None:
    with Alongside(lambda: 42, SILENT) as alongside:
        alongside.begin("model", 7).end("exists")

        assert alongside.result() == 42


def test_many_threads_begin_it_once() -> None:
    calls: list[int] = []
    gate = threading.Barrier(8)

    with Alongside(lambda: calls.append(1), SILENT) as alongside:
        task = alongside.begin("model", 8)

        def advance() -> None:
            gate.wait()
            task.advance(1)

        threads = [threading.Thread(target=advance) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        alongside.result()

    assert calls == [1]


def test_what_the_work_raises_is_raised_where_its_result_is_asked_for() -> None:
    def work() -> None:
        raise PluginError("broken")

    with Alongside(work, SILENT) as alongside:
        alongside.begin("model", 1).advance(1)

        with pytest.raises(PluginError, match="broken"):
            alongside.result()
