"""In a notebook, verbs show bars by themselves; elsewhere they are silent."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest
from kitline.operations.notebook import shown
from kitline.store.progress import SILENT
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path

PACK = """
import os, kitline
os.makedirs("big/model")
with open("big/model/weights.bin", "wb") as file:
    for _ in range(24):
        file.write(os.urandom(1 << 20))
with open("big/Kitfile", "w") as file:
    file.write("manifestVersion: 1.0.0\\nmodel: {path: model}\\n")
kit = kitline.pack("big", "big:v1")
kitline.unpack(kit.reference, "out")
"""


def test_outside_a_notebook_nothing_is_shown() -> None:
    assert shown(SILENT) is SILENT


def test_ipython_on_a_terminal_shows_nothing(tmp_path: Path) -> None:
    script = (
        "import IPython\n"
        "from kitline.operations.notebook import shown\n"
        "from kitline.store.progress import SILENT\n"
        "assert shown(SILENT) is SILENT\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_a_cell_that_packs_shows_bars_and_takes_them_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PACK)])
    seen: list[str] = []

    class Watching(NotebookClient):
        def process_message(self, message, cell, cell_index):  # type: ignore[no-untyped-def]
            if message["msg_type"] in ("display_data", "update_display_data"):
                seen.append(message["content"]["data"]["text/html"])
            return super().process_message(message, cell, cell_index)

    Watching(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert any("<progress" in each and "model" in each for each in seen), seen
    assert seen[-1] == ""
