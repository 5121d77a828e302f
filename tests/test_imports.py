"""Importing kitline or a plugin, or asking for the version, loads no tool, opens no socket."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What must not be loaded, by the name of the top package.
HEAVY = [
    "mlflow", "kfp", "airflow", "dvc", "sklearn", "numpy", "pandas",
    "oras", "requests", "urllib3", "rich", "cryptography", "boto3", "google", "azure", "asyncio",
]  # fmt: skip

PROBE = """
import sys
def watch(event, args):
    if event.startswith("socket."):
        raise SystemExit(f"a socket was used: {event} {args!r}")
sys.addaudithook(watch)
ACTION
loaded = sorted(name for name in HEAVY if name in sys.modules)
if loaded:
    raise SystemExit(f"loaded: {', '.join(loaded)}")
"""

ACTIONS = {
    "import kitline": "import kitline",
    "dir(kitline)": "import kitline; dir(kitline); kitline.__all__",
    "import kitline.plugin": "import kitline.plugin",
    "import kitline_airflow": "import kitline_airflow; dir(kitline_airflow)",
    "import kitline_airflow.plugin": "import kitline_airflow.plugin",
    "import kitline_kfp": "import kitline_kfp; dir(kitline_kfp)",
    "import kitline_kfp.plugin": "import kitline_kfp.plugin",
    "import kitline_dvc": "import kitline_dvc; dir(kitline_dvc)",
    "import kitline_dvc.plugin": "import kitline_dvc.plugin",
    "import kitline_mlflow": "import kitline_mlflow; dir(kitline_mlflow)",
    "import kitline_mlflow.plugin": "import kitline_mlflow.plugin",
    "kitline --version": "from kitline.cli.main import main\nsys.argv = ['kitline', '--version']\n"
    "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code",
    "kitline --help": "from kitline.cli.main import main\nsys.argv = ['kitline', '--help']\n"
    "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_fresh_process_stays_light(action: str, tmp_path: Path) -> None:
    script = PROBE.replace("ACTION", ACTIONS[action]).replace("HEAVY", repr(HEAVY))

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
