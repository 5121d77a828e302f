"""Airflow in processes of its own: a home, and commands that may reach nothing but loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.testing.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = Path(__file__).parents[3] / "examples" / "airflow"
ONLY_LOOPBACK = """
import sys

def refuse(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not (host.startswith("127.") or host in ("::1", "localhost")):
            raise RuntimeError(f"no network, and {host} was asked for")

sys.addaudithook(refuse)
"""


@dataclass(frozen=True, kw_only=True)
class Airflow:
    """One Airflow home; `python` decides which Airflow it is."""

    home: Path
    python: str = sys.executable

    @classmethod
    def make(cls, folder: Path, *, python: str = sys.executable) -> Airflow:
        """Make a home with an empty DAGs folder; the database comes with `migrate`."""
        (folder / "dags").mkdir(parents=True)
        (folder / "user").mkdir()
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(ONLY_LOOPBACK)
        return cls(home=folder, python=python)

    @property
    def dags(self) -> Path:
        """Where DAG files are put."""
        return self.home / "dags"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a command."""
        bin_folder = str(Path(self.python).parent)
        return clean_environment(self.home / "user") | {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.home / "site"),
            "PYTHONWARNINGS": "ignore",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "COLUMNS": "300",
            **more,
        }

    def run(self, *words: str, environment: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run `airflow …` and return what it printed."""
        done = subprocess.run(
            [self.python, "-m", "airflow", *words],
            env=self.environment(**(environment or {})),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str], *, folder: Path | None = None
) -> Iterator[None]:
    """Run a command until the block ends, and end it with all that it started; it says to `log`."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=file, stderr=file, start_new_session=True
        )
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
