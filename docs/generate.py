"""Writes what can be read off the code: README's table of verbs, docs/commands.md, the JSON Schema.

`make docs` runs it. With --check it writes nothing and exits 1 if anything would change.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from kitline.cli.main import cli
from kitline.kit.schema import schema_text

ROOT = Path(__file__).parent.parent
TABLE = re.compile(
    r"(?<=<!-- verbs: written by `make docs` -->\n).*?(?=<!-- /verbs -->)", re.DOTALL
)


def verbs() -> dict[str, click.Command]:
    """Return every verb by name, in the order of `kitline --help`."""
    context = click.Context(cli, info_name="kitline")
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def verb_table() -> str:
    """Return the table of verbs with the summaries that `--help` shows."""
    rows = [
        f"| `{name}` | {command.get_short_help_str(limit=200).rstrip('.')} |"
        for name, command in verbs().items()
    ]
    return "\n".join(["| verb | does |", "|---|---|", *rows, ""])


def commands_page() -> str:
    """Return `--help` of every verb as one page."""
    parent = click.Context(cli, info_name="kitline")
    pages = ["# Commands\n\nWhat `kitline VERB --help` says; written by `make docs`.\n"]
    for name, command in verbs().items():
        context = click.Context(
            command, info_name=name, parent=parent, terminal_width=100, max_content_width=100
        )
        pages.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


def documents() -> dict[Path, str]:
    """Return every generated file with its content."""
    readme = ROOT / "README.md"
    return {
        readme: TABLE.sub(lambda _: verb_table(), readme.read_text("utf-8")),
        ROOT / "docs/commands.md": commands_page(),
        ROOT / "docs/kitfile.schema.json": schema_text(),
    }


def main(arguments: list[str]) -> int:
    """Write what changed, or only say so."""
    changed = [
        (path, text)
        for path, text in documents().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'is stale' if arguments else 'written'}\n")
        if not arguments:
            path.write_text(text, "utf-8")
    return 1 if arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
