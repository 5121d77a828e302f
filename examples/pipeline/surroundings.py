"""Where the demo lies and how its programs are started; nothing of the user's is changed."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

PROGRAMS = Path(sys.executable).parent
"""kitline, dvc and python of this environment."""


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """One folder for everything: the team's repository, and what each tool keeps."""

    folder: Path
    registry: str | None = None
    """Host and prefix, such as `registry.example/team`; None means kitline's local store."""

    @property
    def repository(self) -> Path:
        """The team's git repository."""
        return self.folder / "repository"

    @property
    def log(self) -> Path:
        """What all programs say that is not shown."""
        return self.folder / "log.txt"

    @property
    def data_kits(self) -> str:
        return self._locate("cancer-data")

    @property
    def model_kits(self) -> str:
        return self._locate("cancer")

    def _locate(self, name: str) -> str:
        return f"{self.registry}/{name}" if self.registry else name

    def enter(self) -> None:
        """Tell this process, and all that it starts, where everything lies."""
        airflow = self.folder / "airflow"
        os.environ.pop("KITLINE_REGISTRY", None)  # the user's own
        if self.registry:
            os.environ["KITLINE_REGISTRY"] = self.registry
            os.environ["KITLINE_LINEAGE"] = f"{self.data_kits},{self.model_kits}"
        os.environ |= {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONWARNINGS": "ignore",  # the tools' own, about their next releases
            "KITLINE_HOME": str(self.folder / "kitline"),
            "DATA_KITS": self.data_kits,
            "MODEL_KITS": self.model_kits,
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder / "dvc-site"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "KFP_RUNS": str(self.folder / "kfp-runs"),
            "AIRFLOW_HOME": str(airflow),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.repository / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow / 'airflow.db'}",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }

    def run(self, *words: str, shown: bool = True, fails: bool = False) -> str:
        """Run a program in the repository; return its stdout.

        Everything that it says goes to the log. If it does not end as expected that is shown, and
        the demo ends.
        """
        if shown:
            show("$ " + shlex.join(words))
        with self.log.open("ab") as file:
            began = file.tell()
            done = subprocess.run(
                words, cwd=self.repository, stdout=subprocess.PIPE, stderr=file, text=True
            )
            file.write(done.stdout.encode())
        if bool(done.returncode) != fails:
            sys.stderr.write(self.log.read_bytes()[began:].decode(errors="replace"))
            raise SystemExit(f"{words[0]} ended with {done.returncode}")
        return done.stdout

    def ask(self, *words: str, **options: bool) -> str:
        """Run a program; return the last line of its stdout, where kitline puts the reference."""
        return self.run(*words, **options).splitlines()[-1]


def show(command: str) -> None:
    """Print a command; its digests cut, as people read them."""
    click.secho("   " + re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}", r"\1…", command), dim=True)
