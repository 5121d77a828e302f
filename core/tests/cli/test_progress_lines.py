"""Progress as lines, for programs that keep what kitline says as a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.cli.progress_lines import Lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from kitline.testing.command_line import CommandLine


def test_each_blob_has_a_line_where_lines_are_asked_for(
    run: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")

    silent = run("pack", folder, "-t", "iris:v1", "--json")
    monkeypatch.setenv("KITLINE_PROGRESS", "lines")
    (folder / "model.bin").write_bytes(b"better weights")
    spoken = run("pack", folder, "-t", "iris:v2", "--json")
    quiet = run("pack", folder, "-t", "iris:v3", "--json", "--quiet")

    assert "model.bin: " not in silent.stderr + quiet.stderr
    assert "model.bin: " in spoken.stderr
    assert "model.bin" not in spoken.stdout.partition("{")[0]


def test_a_blob_that_takes_long_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    task = Lines(pause=0).begin("model\n.bin", 4 << 20)

    task.advance(1 << 20)
    task.end("pushed")

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].endswith(": 1.0 MiB of 4.0 MiB")
    assert said[1].endswith(": pushed (4.0 MiB)")
