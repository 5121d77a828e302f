"""kitline diff: what differs between two kits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.operations.diff import Change

MARKS = {"added": "+", "removed": "-", "changed": "~"}
VALUE_WIDTH = 120
"""Longest value shown; `--json` has the whole one."""


@click.command(
    "diff",
    short_help="What differs between two kits: files, parameters, metrics.",
    epilog="Example: kitline diff iris:v1 iris:v2",
)
@click.argument("left", metavar="REF")
@click.argument("right", metavar="OTHER")
@click.option(
    "--no-files", is_flag=True, help="Compare layers by digest only, without reading them."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything differs.")
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    left: str,
    right: str,
    no_files: bool,
    exit_code: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show what differs from REF to OTHER; layers of equal digest are not read."""
    from kitline.operations.diff import diff

    settings = options.load_settings(
        left, right, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = diff(left, right, settings=settings, files=not no_files, progress=progress)
    if as_json:
        options.print_json(result.to_json())
    else:
        for each in result.changes:
            click.echo(options.printable(_line(each)))
        if not result.changes:
            same = result.left.digest == result.right.digest
            options.say("no difference" if same else "no difference but in the manifests' bytes")
    if exit_code and result.changes:
        raise click.exceptions.Exit(1)


def _line(change: Change) -> str:
    """Return a change as people read it: `~ file a.bin: 28 B b117329546c3 -> 2 B 73cb3858a687`."""
    sides = [change.before, change.after] if change.kind == "changed" else []
    sides = sides or [change.after if change.kind == "added" else change.before]
    with_mode = len({side["mode"] for side in sides if _is_content(side) and "mode" in side}) > 1
    shown = " -> ".join(_shown(each, with_mode=with_mode) for each in sides)
    return f"{MARKS[change.kind]} {change.what} {change.name}: {shown}"


def _is_content(value: object) -> bool:
    return isinstance(value, dict) and "digest" in value


def _shown(value: Any, *, with_mode: bool) -> str:
    if _is_content(value):
        digest = value["digest"].partition(":")[2][:12]
        mode = f" {value['mode']}" if with_mode else ""
        return f"{options.human_size(value['size'])} {digest}{mode}"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_WIDTH else text[: VALUE_WIDTH - 1] + "…"
