"""Finding and running the programs that the tests compare kitline with, and kitline itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kitline.testing.environment import clean_environment
from kitline.testing.processes import PeerMissing, peer

if TYPE_CHECKING:
    from collections.abc import Mapping

PINNED = re.compile(r"\S+@(sha256:[0-9a-f]{64})")


def need_program(name: str) -> str:
    """Return the path of a peer; skip the test without it (the root conftest may make it fail)."""
    try:
        return str(peer(name))
    except PeerMissing as missing:
        pytest.skip(str(missing))


def run(
    *args: str | Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; if it fails, the test shows all that it said."""
    done = subprocess.run(
        [str(arg) for arg in args],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(
            f"{' '.join(map(str, args))} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


@dataclass(frozen=True, kw_only=True)
class Kit:
    """The real `kit`, with a store of its own."""

    program: str
    home: Path

    @property
    def env(self) -> dict[str, str]:
        """What it runs with."""
        return clean_environment(self.home) | {"TZ": "UTC"}

    def run(self, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one kit command."""
        return run(self.program, *args, "--progress", "none", env=self.env, check=check)

    def pack(self, folder: Path, reference: str, *flags: str) -> str:
        """Pack a folder and return the manifest digest."""
        out = self.run("pack", folder, "-t", reference, *flags).stdout
        saved = re.search(r"^Model saved: (\S+)$", out, re.MULTILINE)
        assert saved is not None, out
        return saved[1]

    def blob(self, digest: str) -> bytes:
        """Return a blob of its store."""
        return (self.home / "kitops/storage/blobs/sha256" / digest.split(":")[1]).read_bytes()

    def manifest(self, digest: str) -> dict[str, Any]:
        """Return a manifest of its store, parsed."""
        parsed: dict[str, Any] = json.loads(self.blob(digest))
        return parsed


@dataclass(frozen=True, kw_only=True)
class Kitline:
    """The `kitline` command in a process of its own, with a store of its own."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What it runs with."""
        return clean_environment(self.home) | dict(self.settings)

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return [str(Path(sys.executable).with_name("kitline"))]

    def run(
        self, *args: str | Path, check: bool = True, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one kitline command."""
        return run(*self.command, *args, env=self.env, check=check, cwd=cwd)

    def pinned(self, *args: str | Path) -> str:
        """Run a command and return the pinned reference: the last line of stdout."""
        last = self.run(*args).stdout.splitlines()[-1]
        assert PINNED.fullmatch(last), f"not a pinned reference: {last!r}"
        return last

    def digest(self, *args: str | Path) -> str:
        """Run a command and return the digest in its pinned reference."""
        return self.pinned(*args).rpartition("@")[2]

    def inspect(self, reference: str) -> dict[str, Any]:
        """Return what `inspect --json` says."""
        parsed: dict[str, Any] = json.loads(self.run("inspect", "--json", reference).stdout)
        return parsed

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        """Return a manifest of the local store, parsed."""
        blob = self.layout(repository) / "blobs" / digest.replace(":", "/")
        parsed: dict[str, Any] = json.loads(blob.read_bytes())
        return parsed

    def layout(self, repository: str) -> Path:
        """Return the folder of a repository in the local store: a standard OCI image layout."""
        return self.home / "kitline/store" / repository
