"""What holds for every verb: help, usage errors, exit codes, and where words go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import pytest
from kitline.cli.main import VERBS, cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine


def test_help_shows_each_verb(run: CommandLine) -> None:
    result = run("--help")

    assert result.code == 0
    assert all(f"\n  {verb} " in result.stdout for verb in VERBS)
    assert "\n  Example: kitline " in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_ends_with_an_example(run: CommandLine, verb: str) -> None:
    result = run(verb, "--help")

    assert result.code == 0
    assert result.stdout.startswith(f"Usage: kitline {verb} ")
    assert f"kitline {verb}" in result.stdout.partition("\n  Example: ")[2]
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_summary_that_fits_a_line(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)

    assert command is not None
    assert command.short_help
    assert len(command.short_help) <= 65


def test_without_a_verb_the_help_is_shown(run: CommandLine) -> None:
    result = run()

    assert result.code == 2
    assert "Usage: kitline" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pakc",), "there is no verb 'pakc'; did you mean 'pack'?"),
        (("qqq",), "there is no verb 'qqq'; 'kitline --help' lists them"),
        (("pack",), "missing argument 'FOLDER'; see 'kitline pack --help'"),
        (("pack", "x", "--jsno"), "no such option '--jsno'; did you mean '--json'?"),
        (
            ("completion", "tcsh"),
            "invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish';"
            " see 'kitline completion --help'",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    run: CommandLine, words: tuple[str, ...], message: str
) -> None:
    result = run(*words)

    assert result.code == 2
    assert result.error == message
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("pakc",), "UsageError"),
        (("pack",), "UsageError"),
        (("inspect", "iris"), "AmbiguousReference"),
        (("inspect", "iris:v1"), "TagNotFound"),
        (("inspect", "a b:c"), "InvalidReference"),
        (("pack", "nothing", "-t", "iris:v1"), "SourceError"),
    ],
)
def test_errors_are_json_too_where_json_was_asked_for(
    run: CommandLine, words: tuple[str, ...], kind: str
) -> None:
    result = run(*words, "--json")

    assert set(result.json) == {"error"}
    assert result.json["error"]["kind"] == kind
    assert result.json["error"]["message"] == result.error


def test_a_stopped_command_exits_with_130(
    run: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kitline.operations.pack.pack", stop)

    result = run("pack", folder, "-t", "iris:v1", "--json")

    assert result.code == 130
    assert result.error == "stopped; nothing was left under a final name"
    assert result.json["error"]["kind"] == "Cancelled"


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell that runs the tests in the background lets them and their children ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_command_that_then_cleans_up(
    folder: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    os.mkfifo(tmp_path / "kitfile")
    words = ["pack", str(folder), "-t", "iris:v1", "-f", str(tmp_path / "kitfile")]

    with subprocess.Popen(
        [sys.executable, "-m", "kitline", *words], stderr=subprocess.PIPE, text=True
    ) as program:
        with (tmp_path / "kitfile").open("w"):  # opens when the other side reads
            program.send_signal(stop)
            with suppress(subprocess.TimeoutExpired):
                program.wait(3)
        # a signal that came just before the read began is seen when the read ends
        _, stderr = program.communicate()

    assert program.returncode == 130
    assert stderr.strip() == "error: stopped; nothing was left under a final name"


def test_debug_shows_where_an_error_was_raised(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_DEBUG", "1")

    result = run("inspect", "iris:v1")

    assert result.code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "TagNotFound" in result.stderr


def test_python_m_kitline_is_the_same_program() -> None:
    words = [sys.executable, "-m", "kitline", "inspect", "nothing:v1", "--json"]

    found = subprocess.run(words, capture_output=True, text=True, check=False)

    assert found.returncode == 1
    assert '"kind": "TagNotFound"' in found.stdout
    assert found.stderr.startswith("error: no tag 'v1'")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [["--help"], ["pack", "iris", "-t", "iris:v1"]])
def test_a_reader_that_goes_away_is_no_error(folder: Path, words: list[str], stream: str) -> None:
    read, write = os.pipe()
    os.close(read)
    other = "stderr" if stream == "stdout" else "stdout"
    streams = {stream: write, other: subprocess.PIPE}

    found = subprocess.run(
        [sys.executable, "-m", "kitline", *words], **streams, text=True, check=False
    )
    os.close(write)

    writes_there = stream == "stdout" or words != ["--help"]
    assert found.returncode == (141 if writes_there else 0)
    assert "error" not in (getattr(found, other) or "")


@pytest.mark.parametrize("registered", ["before", "after"])
def test_what_is_to_run_at_the_end_runs(registered: str) -> None:
    lines = {
        "before": "atexit.register(print, 'before')",
        "import": "import kitline.cli.list_; from kitline.cli.program import program",
        "after": "atexit.register(print, 'after')",
    }
    if registered == "after":
        kept = [lines["import"], _at_the_end_of_a_verb(lines["after"])]
    else:
        kept = [lines["before"], lines["import"]]
    code = "\n".join(["import atexit, sys", *kept, "sys.argv = ['kitline', 'list']", "program()"])

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert found.returncode == 0
    assert found.stdout.splitlines() == [registered]


def test_output_that_is_lost_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        lines = _at_the_end_of_a_verb("print('a line')")
        code = (
            f"import kitline.cli.list_, sys; from kitline.cli.program import program\n{lines}\n"
            "sys.argv = ['kitline', 'list']; program()"
        )
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}

        found = subprocess.run(
            [sys.executable, "-c", code], stdout=full, env=environment, check=False
        )

    assert found.returncode != 0


def test_a_home_that_cannot_even_be_looked_into_is_no_reason_not_to_push(
    folder: Path,
    local_registry: LocalRegistry,
    run: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / ("h" * 300)))

    for words in ([], ["--rehash"]):
        result = run("pack", folder, "-t", f"{local_registry.host}/a/iris:v1", *words)

        assert result.code == 0
        assert result.stderr.startswith(f"packed {folder}")
        assert len(result.stderr.splitlines()) == 1


def _at_the_end_of_a_verb(line: str) -> str:
    """Return code that makes `kitline list` run a line, as a plugin would that starts something."""
    return (
        "import kitline.operations.list_ as verb\n"
        "listed = verb.list_\n"
        "def list_(*words, **options):\n"
        f"    {line}\n"
        "    return listed(*words, **options)\n"
        "verb.list_ = list_"
    )


def test_closed_output_is_no_error(folder: Path) -> None:
    for words in ("pack iris -t iris:v1", "list"):
        command = f"{sys.executable} -m kitline {words} >&- 2>&-"

        assert subprocess.run(command, shell=True, check=False).returncode == 0


def test_a_bug_is_shown_with_its_traceback_and_as_json(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("a \x1b[2Jbug")

    monkeypatch.setattr("kitline.operations.list_.list_", fail)

    plain, as_json = run("list"), run("list", "--json")

    for result in (plain, as_json):
        assert result.code == 1
        *above, last = result.stderr.splitlines()
        assert above[0] == "Traceback (most recent call last):"
        assert above[-1] == "ZeroDivisionError: a \\x1b[2Jbug"
        assert last == "error: this is a bug in kitline; please report it with the lines above"
    assert plain.stdout == ""
    assert as_json.json == {"error": {"kind": "ZeroDivisionError", "message": "a \x1b[2Jbug"}}


HOSTILE = "\x1b]0;owned\x07\x1b[2J"


def test_hostile_names_cannot_steer_a_terminal(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    quoted = HOSTILE.replace("\x1b", "\\e").replace("\x07", "\\a")
    evil = f"""
manifestVersion: 1.0.0
package:
  name: "x{quoted}"
  description: "line\\n{quoted}\\u202e"
model:
  path: model
  parameters: {{"{quoted}": "{quoted}"}}
"""
    run("pack", folder, "-t", "iris:v1")
    packed = run(
        "pack", folder, "-f", "-", "-t", "iris:v2", "--annotation", f"a={HOSTILE}", stdin=evil
    )
    (folder / f"model/{HOSTILE}").write_text("x")
    (folder / "model/\u202egpj.exe").write_text("x")
    files = run("pack", folder, "-f", "-", "-t", "iris:v3", stdin=evil)
    shown = [
        packed,
        files,
        run("list"),
        run("inspect", "iris:v3"),
        run("diff", "iris:v1", "iris:v3"),
        run("unpack", "iris:v3", "-d", "out"),
        run("unpack", "iris:v3", "-d", "out"),
        run("pack", f"{HOSTILE}", "-t", "iris:v4"),
        run("inspect", f"iris:{HOSTILE}"),
        run("import", f"{HOSTILE}:x", "-t", "iris:v4"),
    ]

    for result in shown:
        assert not {"\x1b", "\x07", "\u202e"} & set(result.stdout + result.stderr), result
