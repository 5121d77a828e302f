"""The example is installed as any plugin is, and does what its README shows."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.testing import ImporterContract

if TYPE_CHECKING:
    from kitline.plugin import Importer

PLUGIN = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module", name="installed")
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the plugin beside the environment; uv builds it without asking any index."""
    target = tmp_path_factory.mktemp("installed")
    command = [BIN / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--no-cache"]
    subprocess.run([*command, "--python", sys.executable, "--target", target, PLUGIN], check=True)
    return target


def kitline(installed: Path, home: Path, *words: str, **settings: str) -> list[str]:
    """Run the command line with the plugin installed; return what it prints on stdout."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "KITLINE_HOME": str(home)}
    environment.pop("SOURCE_DATE_EPOCH", None)  # it would go into the kit
    found = subprocess.run(
        [BIN / "kitline", *words],
        env=environment | settings,
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.splitlines()


def test_the_plugin_is_listed(installed: Path, tmp_path: Path) -> None:
    lines = kitline(installed, tmp_path, "plugins")
    at = lines.index("example (kitline-example 1.0): loaded")
    assert lines[at + 1] == "  imports example: a text that becomes a kit: example:TEXT"


def test_the_plugin_can_be_disabled(installed: Path, tmp_path: Path) -> None:
    lines = kitline(installed, tmp_path, "plugins", KITLINE_DISABLE_PLUGINS="example")
    assert "example (kitline-example 1.0): disabled" in lines


def test_a_text_becomes_a_kit_with_the_digest_that_the_readme_shows(
    installed: Path, tmp_path: Path
) -> None:
    words = ("import", "example:hello", "-t", "hello:v1", "-o", "about=greeting")
    reference = kitline(installed, tmp_path, *words)[-1]
    shown = "hello@sha256:"
    assert reference.startswith(shown)
    assert f"\n{reference[: len(shown) + 12]}…\n" in (PLUGIN / "README.md").read_text()
    kitline(installed, tmp_path, "unpack", reference, "-d", "copy")
    assert (tmp_path / "copy/docs/text.txt").read_text() == "hello"


class TestExampleImporter(ImporterContract):
    missing_source = "example:"

    @pytest.fixture
    def importer(self, monkeypatch: pytest.MonkeyPatch) -> Importer:
        monkeypatch.syspath_prepend(PLUGIN / "src")
        (importer,) = importlib.import_module("kitline_example").kitline_importers()
        return importer

    @pytest.fixture
    def source(self) -> str:
        return "example:hello"
