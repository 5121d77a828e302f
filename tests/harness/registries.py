"""Real registries on free loopback ports, each with its storage in a folder of the test."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.programs import need_program, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("distribution", "docker-registry", "olareg")
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: 127.0.0.1:{port}, secret: any-fixed-text}}
"""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A running registry."""

    kind: str
    host: str
    storage: Path

    @property
    def has_referrers(self) -> bool:
        """Whether it has the referrers API."""
        return self.kind == "olareg"

    def reference(self, name: str) -> str:
        """Return a reference in this registry."""
        return f"{self.host}/{name}"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(kind: str, folder: Path, port: int) -> list[str]:
    """Return how a registry is started."""
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    if kind == "olareg":
        return [
            need_program("olareg"), "serve", "--addr", "127.0.0.1", "--port", str(port),
            "--dir", str(storage), "--api-delete", "--api-blob-delete",
        ]  # fmt: skip
    configuration = folder / "config.yml"
    configuration.write_text(CONFIGURATION.format(storage=storage, port=port))
    program = "registry" if kind == "distribution" else "docker-registry"
    return [need_program(program), "serve", str(configuration)]


@contextlib.contextmanager
def serve(kind: str, folder: Path, *, port: int = 0) -> Iterator[Registry]:
    """Start a registry, wait until it answers, and stop it at the end."""
    port = port or free_port()
    with run_server(command(kind, folder, port), port, folder / "log"):
        yield Registry(kind=kind, host=f"127.0.0.1:{port}", storage=folder / "storage")


@contextlib.contextmanager
def serve_layouts(folder: Path, log: Path) -> Iterator[str]:
    """Let olareg serve all layouts below `folder`, read only; yields host and port."""
    port = free_port()
    arguments = [
        need_program("olareg"), "serve", "--addr", "127.0.0.1", "--port", str(port),
        "--dir", str(folder), "--store-ro",
    ]  # fmt: skip
    with run_server(arguments, port, log):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def run_server(arguments: list[str], port: int, log: Path) -> Iterator[None]:
    """Run a server until the block ends; a server that does not come up shows its log."""
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}  # else it looks for a collector
    with log.open("wb") as output:
        server = subprocess.Popen(arguments, env=env, stdout=output, stderr=output)
        try:
            wait_for(server, port, log)
            yield
        finally:
            server.terminate()
            server.wait()


def wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server answers `GET /v2/`."""
    for _ in range(300):
        if server.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            if connection.getresponse().status in (200, 401):
                connection.close()
                return
        connection.close()
        time.sleep(0.05)
    raise AssertionError(f"{server.args!r} did not come up: {log.read_text(errors='replace')}")


def collect_garbage(folder: Path) -> str:
    """Run distribution's collector, untagged manifests included, on a stopped or idle registry."""
    done = run(
        need_program("registry"), "garbage-collect", "--delete-untagged", folder / "config.yml",
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
    )  # fmt: skip
    return done.stdout
