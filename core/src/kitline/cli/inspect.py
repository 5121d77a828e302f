"""kitline inspect: what a kit says of itself and what is said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from collections.abc import Container

    from kitline.kit.kitfile import KitPart
    from kitline.operations.inspect import Inspection


@click.command(
    "inspect",
    short_help="What a kit holds, what it was made from, what is attached to it.",
    epilog="Example: kitline inspect iris:v1 --json",
)
@click.argument("source", metavar="REF")
@click.option("--no-referrers", is_flag=True, help="Do not ask for what is attached.")
@click.option("--statements", is_flag=True, help="Read all that statements say, however large.")
@options.with_options(*options.connection_options)
@options.json_option
def command(
    source: str,
    no_referrers: bool,
    statements: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """Show the kit REF without fetching its layers."""
    from kitline.operations.inspect import inspect

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = inspect(source, settings=settings, referrers=not no_referrers, statements=statements)
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
        return
    _show(result, whole=statements)
    click.echo(str(result.reference))


def _show(result: Inspection, *, whole: bool) -> None:
    """Print a table of the kit on stderr, so that stdout holds the pinned reference alone."""
    from rich.table import Column, Table
    from rich.text import Text

    from kitline.kit.kitfile_write import write_kitfile
    from kitline.kit.partitions import shared_paths

    kitfile = write_kitfile(result.kit.kitfile).rstrip()
    console = options.console(err=True)
    console.print(Text(options.printable_lines(kitfile)))
    path = Column("path", overflow="fold")
    table = Table("drawer", path, "size", "digest", box=None, pad_edge=False, header_style="bold")
    shared = shared_paths([part for part, _ in result.kit.layers])
    elsewhere = result.by_reference
    for part, layer in result.kit.layers:
        table.add_row(
            part.drawer,
            Text(options.printable(_place(part, shared) + _note(elsewhere.get(part.clean_path)))),
            options.human_size(layer.size),
            layer.digest.hex[:12],
        )
    console.print()
    console.print(table)
    for parent in result.parents:
        console.print(Text(options.printable(f"made from {parent['digest']} ({parent['role']})")))
    said = {each.digest for each in result.statements}
    for each in result.referrers:
        if each.digest not in said:
            kind = each.artifact_type or each.media_type
            console.print(Text(options.printable(f"attached: {kind} {each.digest}")))
    for statement in result.statements:
        line = f"attached: {statement.summary} {statement.digest}"
        console.print(Text(options.printable(line)))
        if whole and statement.predicate is not None:
            text = json.dumps(dict(statement.predicate), indent=2, ensure_ascii=False)
            console.print(Text(options.printable_lines(text)))


def _note(algorithm: str | None) -> str:
    """Say that a layer only lists its data, and how that is checked."""
    return f" (by reference, {algorithm})" if algorithm else ""


def _place(part: KitPart, shared: Container[str]) -> str:
    """Return the path, and the name too where several entries share the path."""
    return f"{part.clean_path} ({part.name})" if part.clean_path in shared else part.clean_path
