"""The demo as people start it, in a folder of the test."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitline.testing.environment import clean_environment

from harness.programs import run

EXAMPLE = Path(__file__).parents[2] / "examples/pipeline"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One folder in which `make demo` runs."""

    folder: Path
    registry: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the demo is started with."""
        more = {"REGISTRY": self.registry} if self.registry else {}
        programs = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        home = clean_environment(self.folder.with_name("home"))
        return home | more | {"DEMO_FOLDER": str(self.folder), "PATH": programs}

    def run(self, *args: str) -> str:
        """Run it to its end; return what it printed."""
        return run(sys.executable, EXAMPLE / "pipeline.py", *args, env=self.environment).stdout

    def make_repository(self) -> None:
        """Make the repository with data and code, and nothing else of the demo."""
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
            "from data import make_repository; from surroundings import Workplace;"
            "work = Workplace(folder=Path(sys.argv[2])); work.enter(); make_repository(work)"
        )
        run(sys.executable, "-c", script, EXAMPLE, self.folder, env=self.environment)

    def ask(self, *words: str) -> str:
        """Run a program where the demo ran, with kitline's store; return its stdout."""
        more = {
            "KITLINE_HOME": str(self.folder / "kitline"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "KFP_RUNS": str(self.folder / "kfp-runs"),
            "PYTHONWARNINGS": "ignore",
            "DVC_NO_ANALYTICS": "1",
        }
        if self.registry:
            more["KITLINE_LINEAGE"] = f"{self.name('cancer-data')},{self.name('cancer')}"
        return run(*words, env=self.environment | more, cwd=self.folder / "repository").stdout

    def json(self, *words: str) -> Any:
        """Run kitline; return what it prints as JSON."""
        return json.loads(self.ask("kitline", *words, "--json"))

    def pinned(self, *words: str) -> str:
        """Run kitline; return the pinned reference that it ends with."""
        return self.ask("kitline", *words).splitlines()[-1]

    def name(self, text: str) -> str:
        """Return a kit's name in the demo."""
        return f"{self.registry}/{text}" if self.registry else text

    def digest(self, text: str) -> str:
        """Return the digest that a name stands for."""
        return str(self.json("inspect", self.name(text))["digest"])
