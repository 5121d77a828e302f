"""300 triggers on one real triggerer: Airflow's own watchdog finds nothing that blocked."""

from __future__ import annotations

import re
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kitline.testing import Fault, LocalRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_process import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COUNT = 300
SECONDS = 75
DAGS = f"""
import os
from datetime import UTC, datetime
from airflow.sdk import DAG
from kitline_airflow import *

kits = [watch_tag(f"{{os.environ['REGISTRY']}}/team/m{{n % 50}}:v{{n}}") for n in range({COUNT})]
with DAG("waits", schedule=kits, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    pass
"""
BLOCKED = re.compile(r"^(\S+Z) .*async thread was blocked for ([0-9.]+) seconds", re.MULTILINE)
"""Airflow's warning, with its time."""
CONTROL = """
import glob, time
from contextlib import suppress

def waited():
    found = {}
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        with suppress(OSError, IndexError):
            if b'triggerer' in open(path, 'rb').read():
                delay = open(path.replace('cmdline', 'schedstat')).read().split()[1]
                found[path] = int(delay) / 1e9
    return found

before = waited()
while True:
    began = time.monotonic()
    time.sleep(0.1)
    late = time.monotonic() - began > 0.15
    after = waited()
    if late or any(after[each] - before.get(each, 0.0) > 0.1 for each in after):
        print(time.time(), flush=True)
    before = after
"""
"""A process of its own that sleeps: when it is late, the machine is, and not a trigger. So it is
when a triggerer's main thread, which has the loop, stood in line for a processor (Linux counts)."""


def blocks(log: Path, *, late: Path) -> list[str]:
    """Return the warnings of a triggerer's log, but for moments when the whole machine was late."""
    moments = [float(each) for each in late.read_text().split()]
    found = []
    for match in BLOCKED.finditer(log.read_text()):
        at = datetime.fromisoformat(match[1]).astimezone(UTC).timestamp()
        if not any(-1 < at - each < 1 + float(match[2]) for each in moments):
            found.append(match[0])
    return found


def wait_for(registry: LocalRegistry, count: int, log: Path) -> None:
    deadline = time.monotonic() + 240
    while registry.count("HEAD") < count:
        assert time.monotonic() < deadline, log.read_text()[-5000:]
        time.sleep(0.5)


def prepare(airflow: Airflow, source: str, **given: str) -> dict[str, str]:
    (airflow.dags / "waits.py").write_text(source)
    given["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"  # or nothing is watched
    airflow.run("db", "migrate", environment=given)
    airflow.run("dags", "reserialize", environment=given)
    return airflow.environment(**given, AIRFLOW__LOGGING__LOGGING_LEVEL="INFO")


def test_300_triggers_at_a_slow_registry_block_nothing_and_ask_little(tmp_path: Path) -> None:
    from airflow_process import Airflow, running

    airflow = Airflow.make(tmp_path / "home")
    log, late = tmp_path / "triggerer.log", tmp_path / "late"
    with LocalRegistry() as registry, ExitStack() as stack:
        environment = prepare(airflow, DAGS, REGISTRY=registry.host)
        registry.inject(Fault.stall(seconds=2, times=None))
        stack.enter_context(running([sys.executable, "-c", CONTROL], late, environment))
        command = [airflow.python, "-m", "airflow", "triggerer", "--skip-serve-logs"]
        stack.enter_context(running(command, log, environment))
        wait_for(registry, 1, log)
        time.sleep(SECONDS)

        assert registry.count("HEAD") >= COUNT  # each had its turn
        assert registry.count() / SECONDS < 10
        assert f"{COUNT} watchers currently running" in log.read_text()
        assert blocks(log, late=late) == []


def test_airflow_would_have_warned_of_a_trigger_that_blocks(tmp_path: Path) -> None:
    from airflow_process import Airflow, running

    airflow = Airflow.make(tmp_path / "home")
    log, late = tmp_path / "triggerer.log", tmp_path / "late"
    late.touch()
    (airflow.home / "site" / "blocking.py").write_text(
        "import time\n"
        "from airflow.triggers.base import BaseEventTrigger\n"
        "class Blocking(BaseEventTrigger):\n"
        "    def serialize(self):\n"
        "        return 'blocking.Blocking', {}\n"
        "    async def run(self):\n"
        "        import asyncio\n"
        "        while True:\n"
        "            time.sleep(0.5)\n"
        "            await asyncio.sleep(0.2)\n"
        "            if False:\n"
        "                yield\n"
    )
    source = (
        "from datetime import UTC, datetime\n"
        "from airflow.sdk import DAG, Asset, AssetWatcher\n"
        "from blocking import Blocking\n"
        "watched = Asset('a', watchers=[AssetWatcher(name='w', trigger=Blocking())])\n"
        "with DAG('waits', schedule=[watched], start_date=datetime(2026, 1, 1, tzinfo=UTC)): pass\n"
    )
    environment = prepare(airflow, source)
    command = [airflow.python, "-m", "airflow", "triggerer", "--skip-serve-logs"]
    with running(command, log, environment):
        deadline = time.monotonic() + 60
        while not blocks(log, late=late):
            assert time.monotonic() < deadline, log.read_text()[-5000:]
            time.sleep(0.5)
