"""A real `mlflow server` that passes artifacts on, for as long as a benchmark needs it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 240.0


@contextlib.contextmanager
def running(work: Path, artifacts: Path) -> Iterator[str]:
    """Run a server on a free port of this machine; its files lie in `artifacts`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{work / 'server.db'}"]
    words += ["--artifacts-destination", str(artifacts)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (work / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, *words],
            cwd=work,
            env={**os.environ, **quiet},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        if server.poll() is not None or time.monotonic() > end:
            raise SystemExit("mlflow server did not start; see server.log")
        time.sleep(0.3)
