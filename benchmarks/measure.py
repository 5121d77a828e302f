"""Runs one program and measures it: seconds, peak resident memory, bytes it wrote to disk."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLL_MILLISECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run of one program took."""

    seconds: float
    resident: int
    """Peak resident memory in bytes, of the program itself (read every few milliseconds)."""

    written: int
    """Bytes that it caused to be written to block devices; memory file systems do not count."""

    output: str
    processor: float
    """Seconds of processor time, its children's included; a busy machine changes them less."""


def measure(arguments: Sequence[str | Path], env: Mapping[str, str]) -> Measured:
    """Run a program to its end; raises SystemExit with all that it said if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    resident = 0
    exited = os.pidfd_open(process.pid)
    poller = select.poll()
    poller.register(exited, select.POLLIN)
    while not poller.poll(POLL_MILLISECONDS):
        resident = max(resident, _status(process.pid, "VmHWM"))
    seconds = time.perf_counter() - began
    # It has ended and is not reaped yet: its counters, its children's included, still stand.
    written = _io(process.pid, "write_bytes")
    processor = _processor(process.pid)
    os.close(exited)
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} failed:\n{output}")
    return Measured(
        seconds=seconds, resident=resident, written=written, output=output, processor=processor
    )


def _status(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _read(pid, "status"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _io(pid: int, field: str) -> int:
    found = re.search(rf"^{field}: (\d+)", _read(pid, "io"), re.MULTILINE)
    return int(found[1]) if found else 0


def _processor(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _read(pid: int, name: str) -> str:
    try:
        return Path("/proc", str(pid), name).read_text()
    except OSError:  # gone already, or a system without /proc
        return ""
