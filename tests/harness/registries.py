"""The three real registries behind one face, started by `kitline.testing.processes`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.testing.environment import clean_environment
from kitline.testing.processes import distribution, docker_registry, olareg

from harness.programs import need_program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kitline.testing.processes import RunningRegistry

KINDS = {"distribution": "registry", "docker-registry": "docker-registry", "olareg": "olareg"}
"""Each kind and its program."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A running registry."""

    kind: str
    host: str

    def reference(self, name: str) -> str:
        """Return a reference in this registry."""
        return f"{self.host}/{name}"


@contextlib.contextmanager
def serve(kind: str, folder: Path) -> Iterator[Registry]:
    """Run a registry with its storage in `folder` until the block ends."""
    need_program(KINDS[kind])
    starters: dict[str, Callable[[Path], AbstractContextManager[RunningRegistry]]] = {
        "distribution": distribution,
        "docker-registry": docker_registry,
        "olareg": olareg,
    }
    with starters[kind](folder) as running:
        yield Registry(kind=kind, host=running.host)


@contextlib.contextmanager
def serve_layouts(folder: Path) -> Iterator[Registry]:
    """Let olareg serve all layouts below `folder`, read only."""
    need_program("olareg")
    with olareg(folder, "--store-ro") as running:
        yield Registry(kind="olareg", host=running.host)


def collect_garbage(folder: Path) -> str:
    """Run distribution's collector, untagged manifests included, over an idle registry's folder."""
    done = run(
        need_program("registry"), "garbage-collect", "--delete-untagged", folder / "config.yml",
        env=clean_environment(folder),
    )  # fmt: skip
    return done.stdout
