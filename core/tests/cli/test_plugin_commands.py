"""Plugins add commands of their own, found by name alone and loaded when used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from kitline.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.testing.command_line import CommandLine

    InstallCommand = Callable[..., None]

PAPER = """
import click
from kitline.errors import SourceError
@click.group()
def group():
    "What is done with paper."
@group.command()
@click.argument("word")
def fold(word):
    "Fold WORD."
    if word == "stone":
        raise SourceError("cannot fold 'stone'")
    click.echo(f"folded {word}")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallCommand]:
    """Install a one-module distribution that adds a command."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "airflow,dvc,kfp,mlflow")
    modules = []

    def install(name: str, source: str, distribution: str = "kitline-paper") -> None:
        module = distribution.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-2.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.1\n"
        )
        (folder / "entry_points.txt").write_text(f"[kitline.commands]\n{name} = {module}:group\n")

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def test_a_command_of_a_plugin_is_a_command_of_kitline(
    run: CommandLine, install: InstallCommand
) -> None:
    install("paper", PAPER)

    folded = run("paper", "fold", "letter")
    refused = run("paper", "fold", "stone")
    wrong = run("paper", "fold")

    assert (folded.code, folded.stdout) == (0, "folded letter\n")
    assert (refused.code, refused.error) == (1, "cannot fold 'stone'")
    assert wrong.code == 2
    assert "see 'kitline paper fold --help'" in wrong.error
    assert "Fold WORD." in run("paper", "--help").stdout


def test_help_lists_plugins_commands_apart_and_imports_nothing(
    run: CommandLine, install: InstallCommand
) -> None:
    install("paper", "raise SystemError('was loaded')\n")

    shown = run("--help").stdout

    assert "\nAdded by plugins:\n" in shown
    assert "  paper  (kitline-paper 2.1)\n" in shown.partition("Added by plugins:")[2]
    assert "kitline_paper" not in sys.modules


def test_a_command_is_completed_by_its_name_and_below(install: InstallCommand) -> None:
    from click.shell_completion import ShellComplete

    install("paper", PAPER)
    shell = ShellComplete(cli, {}, "kitline", "_KITLINE_COMPLETE")

    assert [each.value for each in shell.get_completions([], "pap")] == ["paper"]
    assert [each.value for each in shell.get_completions(["paper"], "fo")] == ["fold"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('too old')\n", "RuntimeError: too old"),
        ("import nowhere_at_all\n", "No module named 'nowhere_at_all'"),
        ("", "has no attribute 'group'"),
        ("group = 5\n", "'kitline_paper:group' is int, not a click command"),
    ],
)
def test_a_broken_command_names_its_distribution(
    run: CommandLine, install: InstallCommand, source: str, said: str
) -> None:
    install("paper", source)

    result = run("paper", "fold", "x")

    assert result.code == 1
    assert "kitline-paper 2.1" in result.error
    assert said in result.error


@pytest.mark.parametrize("disabled", ["paper", "kitline-paper", "all"])
def test_a_disabled_plugin_adds_no_command(
    run: CommandLine, install: InstallCommand, monkeypatch: pytest.MonkeyPatch, disabled: str
) -> None:
    install("paper", PAPER)
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", disabled)

    assert "paper" not in run("--help").stdout
    assert "there is no verb 'paper'" in run("paper", "fold", "x").error


def test_no_plugin_replaces_a_verb(run: CommandLine, install: InstallCommand) -> None:
    install("list", PAPER)

    assert run("list").code == 0
    assert "Added by plugins" not in run("--help").stdout
    [problem] = [each["problem"] for each in run("plugins", "--json").json["commands"]]
    assert problem == "kitline-paper 2.1 offers the command 'list', which is a verb of kitline"


def test_two_offers_of_one_command_name_both_distributions(
    run: CommandLine, install: InstallCommand
) -> None:
    install("paper", PAPER)
    install("paper", PAPER, "kitline-origami")

    said = run("paper", "fold", "x").error

    assert "kitline-origami 2.1" in said
    assert "kitline-paper 2.1" in said
    assert "both offer the command 'paper'" in said


def test_plugins_shows_commands(run: CommandLine, install: InstallCommand) -> None:
    install("paper", PAPER)

    assert "command 'kitline paper' (kitline-paper 2.1)\n" in run("plugins").stdout


def test_a_misspelt_command_is_guessed(run: CommandLine, install: InstallCommand) -> None:
    install("paper", PAPER)

    assert "did you mean 'paper'?" in run("papre").error
    assert "comes with kitline-airflow" in run("airflow").error
