"""Run `mlflow server` until nobody uses it: python serve_mlflow.py FOLDER PORT.

Whoever uses the server holds a shared lock on FOLDER/users. Locks end with their processes, so the
server goes when the last test process does, however that one ended.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(folder: Path, port: str) -> None:
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its processes outlive the server
    }
    with (folder / "log").open("wb") as log, (folder / "users").open("rb") as users:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        fcntl.flock(users, fcntl.LOCK_EX)
        (folder / "url").unlink(missing_ok=True)
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.5)  # workers end after their server


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
