"""What the machine itself can do, so that the figures can be judged: disk, page cache, start-up."""

from __future__ import annotations

import mmap
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 4 << 20


def write_rate(folder: Path, size: int, *, direct: bool) -> float:
    """Return bytes per second of writing a new file durably, past the page cache if `direct`."""
    path = folder / "rate.bin"
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | (os.O_DIRECT if direct else 0)
    try:
        fd = os.open(path, flags, 0o600)
    except OSError:  # this file system knows no O_DIRECT
        return float("nan")
    block = mmap.mmap(-1, BLOCK)  # page-aligned, as O_DIRECT wants it
    block.write(os.urandom(BLOCK))
    began = time.perf_counter()
    try:
        for _ in range(max(1, size // BLOCK)):
            os.write(fd, block)
        os.fdatasync(fd)
        return max(BLOCK, size // BLOCK * BLOCK) / (time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink()


def sync(folder: Path) -> float:
    """Return the seconds that `sync -f` takes: all that was written there becomes durable."""
    began = time.perf_counter()
    if os.spawnlp(os.P_WAIT, "sync", "sync", "-f", str(folder)):
        raise SystemExit(f"sync -f {folder} failed")
    return time.perf_counter() - began


def read_through(folder: Path) -> None:
    """Read all files of a folder, so that none who reads them next does so for the others."""
    buffer = bytearray(BLOCK)
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def touch_memory(folder: Path, size: int) -> None:
    """Write `size` bytes into a folder in memory and remove them again."""
    path, block = folder / "kitline-bench-touched", bytes(BLOCK)
    try:
        with path.open("wb", buffering=0) as out:
            for _ in range(size // BLOCK + 1):
                out.write(block)
    finally:
        path.unlink(missing_ok=True)
