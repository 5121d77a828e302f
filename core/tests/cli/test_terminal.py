"""What people see on a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kitline.cli.options import count, human_size, print_json, printable
from kitline.cli.progress import Bars
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing.command_line import CommandLine


def test_a_bar_fits_a_line_of_80_columns() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)

    with Bars(console) as bars:
        task = bars.begin("a/very/long/path/to/some/weights-0001-of-0002.safetensors", 4 << 30)
        task.advance(3 << 30)
        bars._bars.refresh()
        shown = screen.getvalue()
        task.end("copied")

    assert "…001-of-0002.safetensors ━" in shown
    assert "3.0/4.0 GiB" in shown
    assert "\n" not in shown


def test_names_in_bars_are_neither_markup_nor_commands() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)

    with Bars(console) as bars:
        bars.begin("[bold]\x1b]0;x", 10)
        bars._bars.refresh()

    assert "[bold]\\x1b]0;x" in screen.getvalue()


@pytest.mark.parametrize("stream", ["a terminal", "a pipe"])
def test_bars_and_colours_show_on_a_terminal_and_nowhere_else(folder: Path, stream: str) -> None:
    words = [sys.executable, "-m", "kitline", "pack", str(folder), "-t", "iris:v1"]
    reading, writing = pty.openpty() if stream == "a terminal" else os.pipe()

    with subprocess.Popen(words, stderr=writing, stdout=subprocess.PIPE, text=True) as program:
        os.close(writing)
        shown = b""
        while piece := _read(reading):
            shown += piece
        stdout, _ = program.communicate()
    os.close(reading)

    assert program.returncode == 0
    assert stdout.startswith("iris@sha256:")
    assert stdout.count("\n") == 1
    assert (b"\x1b[?25l" in shown) == (stream == "a terminal")
    assert shown.rstrip().endswith(b" (4 new, 11.0 KiB)")


def _read(stream: int) -> bytes:
    try:
        return os.read(stream, 4096)
    except OSError:  # Linux says so when the other end of a terminal is gone
        return b""


def test_tables_keep_all_of_a_name(run: CommandLine, folder: Path) -> None:
    name = "a-name-that-is-longer-than-what-is-left-of-a-line-of-eighty-columns-" + "x" * 60
    (folder / "model").rename(folder / name)
    kitfile = (folder / "Kitfile").read_text().replace("path: model", f"path: {name}")
    (folder / "Kitfile").write_text(kitfile)
    run("pack", folder, "-t", "iris:v1")

    table = run("inspect", "iris:v1").stderr.partition("drawer ")[2]

    assert name in table


def test_sizes_and_counts_read_well() -> None:
    assert [human_size(size) for size in (0, 1023, 1024, 1536 << 10, 5 << 40, 5 << 50)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 MiB", "5.0 TiB", "5120.0 TiB",
    ]  # fmt: skip
    assert [count(1, "layer"), count(2, "layer")] == ["1 layer", "2 layers"]
    assert printable("a\x1b\x00\u202eé文") == "a\\x1b\\x00\\x202eé文"


def test_json_holds_nothing_that_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"reason": "ä \x9b2J\u202e\U000e0001\x1b[31m\n"}

    print_json(said)

    shown = capsys.readouterr().out
    assert json.loads(shown) == said
    assert "ä" in shown
    assert [each for each in shown if not each.isprintable() and each != "\n"] == []
