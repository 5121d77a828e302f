"""Runs a command line inside the test process and keeps what it printed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Exit code and output of one command."""

    code: int
    stdout: str
    stderr: str

    @property
    def pinned(self) -> str:
        """The pinned reference that a verb prints as the last line of stdout.

        Raises:
            AssertionError: if the command failed, or printed anything else there.
        """
        lines = self.stdout.splitlines()
        assert self.code == 0, self.stderr
        assert len(lines) == 1, self.stdout
        assert "@sha256:" in lines[0], self.stdout
        return lines[0]

    @property
    def digest(self) -> str:
        """The digest in the pinned reference."""
        return self.pinned.rpartition("@")[2]

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; `json.loads` refuses anything beside it."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict), self.stdout
        return found

    @property
    def error(self) -> str:
        """What the one error on stderr says.

        Raises:
            AssertionError: if nothing went wrong, if there is not one error, or a traceback.
        """
        assert self.code != 0, self.stdout
        assert "Traceback" not in self.stderr, self.stderr
        errors = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.stderr
        return self.stderr.partition("error: ")[2].rstrip("\n")


class CommandLine:
    """Calls `main(words)` as a shell would: `run("pack", folder, "-t", "iris:v1").pinned`."""

    def __init__(self, main: Callable[[list[str]], None]) -> None:
        self._main = main

    def __call__(self, *words: str | os.PathLike[str], stdin: str | bytes = b"") -> Outcome:
        """Run one command; nothing is raised for an exit code."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = io.BytesIO(), io.BytesIO()
        with _streams(given, out, err):
            try:
                self._main([os.fspath(word) for word in words])
                code = 0
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return Outcome(code=code, stdout=out.getvalue().decode(), stderr=err.getvalue().decode())


@contextlib.contextmanager
def _streams(given: bytes, out: io.BytesIO, err: io.BytesIO) -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    ends = [
        io.TextIOWrapper(stream, "utf-8", write_through=True)
        for stream in (io.BytesIO(given), out, err)
    ]
    sys.stdin, sys.stdout, sys.stderr = ends
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for end in ends:
            end.flush()
            end.detach()  # otherwise collecting the wrapper closes what it wrote to
