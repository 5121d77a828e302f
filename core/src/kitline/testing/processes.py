"""Real programs for tests: registries on loopback, found through `PEERS_BIN` and `PATH`.

Commands and settings are those of the projects' own documentation, measured with distribution
3.1.1, docker-registry 2.8.2 and olareg 0.2.1.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kitline.frozen import dataclass
from kitline.testing.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

_START_LIMIT = 15.0
_STOP_LIMIT = 5.0
_SETTLE = 0.02
_TRIES = 3


class PeerMissing(Exception):
    """A program that a test needs is not installed."""


@dataclass(frozen=True, kw_only=True)
class RunningRegistry:
    """A registry program that answers; `host` is `127.0.0.1:PORT`, `folder` its storage."""

    host: str
    folder: Path
    pid: int

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"http://{self.host}"


def peer(name: str) -> Path:
    """Return the path of a program from the folder `PEERS_BIN`, else from `PATH`.

    Raises:
        PeerMissing: saying how to get it.
    """
    folder = os.environ.get("PEERS_BIN")
    found = (shutil.which(name, path=folder) if folder else None) or shutil.which(name)
    if found is None:
        raise PeerMissing(
            f"no program {name!r} in PEERS_BIN ({folder or 'not set'}) nor on PATH;"
            " 'make interop' builds it"
        )
    return Path(found).absolute()


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def distribution(
    folder: Path, *, delete: bool = True, extra: str = ""
) -> AbstractContextManager[RunningRegistry]:
    """Run distribution 3 with its storage in `folder`; `extra` is more YAML for its settings."""
    return _distribution(peer("registry"), folder, delete=delete, extra=extra)


def docker_registry(
    folder: Path, *, delete: bool = True, extra: str = ""
) -> AbstractContextManager[RunningRegistry]:
    """Run docker-registry 2.8 with its storage in `folder`."""
    return _distribution(peer("docker-registry"), folder, delete=delete, extra=extra)


def olareg(folder: Path, *options: str) -> AbstractContextManager[RunningRegistry]:
    """Run olareg over `folder`; options such as `--store-ro` or `--auth-basic FILE` are added."""
    program = peer("olareg")
    if "--store-ro" not in options:
        options = (*options, "--api-delete", "--api-blob-delete")

    def command(port: int) -> Sequence[str | Path]:
        listen = ("--addr", "127.0.0.1", "--port", str(port))
        return (program, "serve", *listen, "--dir", folder, *options)

    return _running(command, folder)


def _distribution(
    program: Path, folder: Path, *, delete: bool, extra: str
) -> AbstractContextManager[RunningRegistry]:
    storage = folder / "storage"

    def command(port: int) -> Sequence[str | Path]:
        storage.mkdir(parents=True, exist_ok=True)
        settings = folder / "config.yml"
        settings.write_text(_SETTINGS.format(
            folder=storage, delete=str(delete).lower(), port=port, extra=extra
        ))  # fmt: skip
        return (program, "serve", settings)

    return _running(command, storage)


_SETTINGS = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{folder}"}}
  delete: {{enabled: {delete}}}
  cache: {{blobdescriptor: inmemory}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}", secret: any-fixed-text}}
{extra}
"""


class _Command(Protocol):
    def __call__(self, port: int) -> Sequence[str | Path]: ...


@contextlib.contextmanager
def _running(command: _Command, folder: Path) -> Iterator[RunningRegistry]:
    home = folder.with_name(folder.name + "-home")
    home.mkdir(parents=True, exist_ok=True)
    process, port = _start(command, home)
    try:
        yield RunningRegistry(host=f"127.0.0.1:{port}", folder=folder, pid=process.pid)
    finally:
        _stop(process)


def _start(command: _Command, home: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the program; another port if somebody took the first one in the meantime."""
    log = home / "log"
    for _ in range(_TRIES):
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(each) for each in command(port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=clean_environment(home),
                cwd=home,
            )
        if _answers(process, port):
            return process, port
        _stop(process)
    raise RuntimeError(f"{command(0)[0]} does not answer; it said:\n{log.read_text()[-2000:]}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Poll `/v2/` until the program answers or has ended."""
    deadline = time.monotonic() + _START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status in (200, 401):
                # a program that found its port taken ends by itself, and somebody else answered
                time.sleep(_SETTLE)
                return process.poll() is None
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        finally:
            connection.close()
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End this process and no other."""
    process.terminate()
    try:
        process.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
