"""The pipeline as a notebook: it runs from the first cell to the last, and shows what it makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from harness.demo import EXAMPLE
from kitline.testing.environment import clean_environment
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_shows_kits_stages_and_lineage(tmp_path: Path) -> None:
    path = EXAMPLE / "pipeline.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # has no types
    environment = clean_environment(tmp_path) | {"TMPDIR": str(tmp_path)}
    where = {"metadata": {"path": str(EXAMPLE)}}

    NotebookClient(notebook, resources=where, timeout=600).execute(env=environment)

    outputs = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    pages = [each["data"].get("text/html", "") for each in outputs if "data" in each]
    texts = "".join(each["text"] for each in outputs if each["output_type"] == "stream")
    assert any("<table" in page and "cancer-data" in page for page in pages)
    assert any("it misses tumours" in page and "production" in page for page in pages)
    assert any("svg" in page for page in pages)
    assert re.findall(r'"found": (\d+), "missed": (\d+)', texts) == [
        ("42", "0"),
        ("29", "13"),
        ("42", "0"),
    ]
    assert re.findall(r"^(\d)  (\w+)", texts, re.MULTILINE) == [
        ("1", "promote"),
        ("2", "promote"),
        ("3", "rollback"),
    ]
