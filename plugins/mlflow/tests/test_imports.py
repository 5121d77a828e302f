"""The plugin costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kitline_mlflow.server_address import without_secrets


def test_loading_the_plugin_imports_no_tool_and_no_http() -> None:
    program = (
        "import sys, kitline_mlflow.plugin\n"
        "from kitline.plugin import Plugins\n"
        "assert Plugins.load().importer_for('mlflow://runs/1')\n"
        "heavy = {'mlflow', 'oras', 'rich', 'requests', 'yaml', 'click'} & set(sys.modules)\n"
        "heavy |= {'kitline_mlflow.importer', 'kitline_mlflow.exporter'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "https://user:secret@mlflow.example/path?token=secret",
            "https://user@mlflow.example/path",
        ),
        (
            "postgresql://user:secret@db.example:5432/mlflow",
            "postgresql://user@db.example:5432/mlflow",
        ),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_an_origin_holds_no_password(uri: str, expected: str) -> None:
    assert without_secrets(uri) == expected
