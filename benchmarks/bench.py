"""One round: every program does the same work in turn against a fresh registry in memory."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.programs import need_program
from harness.registries import Registry, serve
from kitline.testing.environment import clean_environment
from machine import read_through, sync, touch_memory
from measure import Measured, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from data import Large

HERE = Path(__file__).parent
KITLINE = Path(sys.executable).with_name("kitline")
SMALL_ROOM = 512 << 20
"""Bytes of memory that a registry needs at most for the small files."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where everything lies, and what was measured so far, by name."""

    work: Path
    memory: Path
    """A folder in memory, for the registry's storage."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    resident: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    written: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def round_large(self, turn: int, large: Large, *, with_oras: bool) -> None:
        """Time everything with the large file once."""
        entrants = [
            lambda: self.curl(large),
            lambda: self.kitline("large", large.folder, large.size),
            lambda: self.kit("large", large.folder, large.size),
        ]
        if with_oras:
            entrants.insert(1, lambda: self.oras(large))
        self._round(turn, entrants)

    def round_small(self, turn: int, small: Path) -> None:
        """Time everything with the small files once, and what a program needs to begin at all.

        A round of its own: who comes after gigabytes were written and removed pays for that.
        """
        entrants = [
            lambda: self.kitline("small", small, SMALL_ROOM),
            lambda: self.kit("small", small, SMALL_ROOM),
        ]
        self._round(turn, entrants)
        self.timed("start-up", KITLINE, "--version")

    def _round(self, turn: int, entrants: Sequence[Callable[[], None]]) -> None:
        """Let each run once, in an order that shifts, and goes backwards every other round.

        After six rounds of three each has come first, and after each other one, equally often:
        who runs after gigabytes were written and removed pays for a part of that.
        """
        first = turn // 2 % len(entrants)
        order = [*entrants[first:], *entrants[:first]]
        for entrant in order if turn % 2 == 0 else reversed(order):
            entrant()

    def curl(self, large: Large) -> None:
        """PUT a file whose digest is known, and GET it: the wire and the registry alone."""
        with self.registry(large.size) as registry:
            location = start_upload(registry.host, "bench/curl", large.digest)
            self.timed(
                "large curl put", "curl", "-sS", "--fail", "-X", "PUT", "-T", large.file,
                "-H", "Content-Type: application/octet-stream", location,
                reads=large.folder,
            )  # fmt: skip
            blob = f"http://{registry.host}/v2/bench/curl/blobs/{large.digest}"
            self.timed("large curl get", "curl", "-sS", "--fail", "-o", "/dev/null", blob)

    def oras(self, large: Large) -> None:
        """Push and pull the file with oras-py."""
        with self.registry(large.size) as registry, self.target() as target:
            script: list[str | Path] = [sys.executable, HERE / "oras_transfer.py"]
            reference = registry.reference("bench/oras:v1")
            self.timed("large oras-py push", *script, "push", reference, large.file)
            self.timed("large oras-py pull", *script, "pull", reference, target)

    def kitline(self, name: str, folder: Path, size: int) -> None:
        """Pack a folder into a registry, twice, and unpack it."""
        with self.registry(size) as registry:
            reference = registry.reference("bench/kitline:v1")
            pack = (KITLINE, "pack", folder, "-t", reference)
            self.timed(f"{name} kitline pack to registry", *pack, reads=folder)
            self.timed(f"{name} kitline pack to registry again", *pack, reads=folder)
            with self.target() as target:
                self.timed(
                    f"{name} kitline unpack from registry",
                    KITLINE, "unpack", reference, "-d", target / "out",
                )  # fmt: skip
                self.synced(f"{name} kitline unpack from registry", target)
            with self.target() as target:
                self.timed(
                    f"{name} kitline unpack from registry, not synced",
                    KITLINE, "unpack", "--no-sync", reference, "-d", target / "out",
                )  # fmt: skip

    def kit(self, name: str, folder: Path, size: int) -> None:
        """Pack a folder, push it, and unpack it from the registry and from its own store."""
        kit, quiet = need_program("kit"), ("--progress", "none")
        with self.registry(size) as registry:
            reference = registry.reference("bench/kit:v1")
            pack = (kit, "pack", folder, "-t", reference, *quiet)
            self.timed(f"{name} kit pack", *pack, reads=folder)
            self.timed(f"{name} kit push", kit, "push", reference, "--plain-http", *quiet)
            shutil.rmtree(self.work / "home")
            with self.target() as target:
                # Only without a local copy does kit read from the registry.
                self.timed(
                    f"{name} kit unpack from registry",
                    kit, "unpack", reference, "-d", target / "out", "--plain-http", *quiet,
                )  # fmt: skip
                self.synced(f"{name} kit unpack from registry", target)
            with self.target() as target:
                self.timed(f"{name} kit pull", kit, "pull", reference, "--plain-http", *quiet)
                self.timed(
                    f"{name} kit unpack from store",
                    kit, "unpack", reference, "-d", target / "out", *quiet,
                )  # fmt: skip
                self.synced(f"{name} kit unpack from store", target)
            shutil.rmtree(self.work / "home")

    def timed(self, name: str, *arguments: str | Path, reads: Path | None = None) -> Measured:
        """Run a program, with everything that was written before already on disk.

        The files of `reads` are read before: on a virtual host the first one to read from the page
        cache after a pause takes several times as long as who comes next.
        """
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        sync(self.work)
        if reads is not None:
            read_through(reads)
        found = measure(arguments, clean_environment(home))
        self.seconds[name].append(found.seconds)
        self.resident[name] = max(self.resident[name], found.resident)
        self.written[name] = max(self.written[name], found.written)
        print(f"  {name:<40} {found.seconds:8.3f} s", file=sys.stderr)
        return found

    def synced(self, name: str, folder: Path) -> None:
        """Add what `sync -f` takes after a run, as a figure of its own."""
        self.seconds[f"{name} + sync"].append(self.seconds[name][-1] + sync(folder))

    @contextlib.contextmanager
    def registry(self, size: int) -> Iterator[Registry]:
        """A fresh distribution 3 with its storage in memory: none finds what another left.

        `size` bytes of that memory are touched before: on a virtual host the first one to use a
        page would pay for all who come after.
        """
        touch_memory(self.memory, size)
        with tempfile.TemporaryDirectory(dir=self.memory, prefix="kitline-bench-") as folder:
            with serve("distribution", Path(folder)) as registry:
                yield registry
            shutil.rmtree(self.work / "home", ignore_errors=True)

    @contextlib.contextmanager
    def target(self) -> Iterator[Path]:
        """An empty folder on disk."""
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            yield Path(folder)


def start_upload(host: str, repository: str, digest: str) -> str:
    """Open an upload session; return the address that takes the blob in one PUT."""
    connection = http.client.HTTPConnection(host)
    connection.request("POST", f"/v2/{repository}/blobs/uploads/")
    location = connection.getresponse().headers["Location"]
    connection.close()
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"
