"""kitline inspect: what a kit says of itself and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.operations.inspect import Inspection


@click.command(
    "inspect",
    short_help="What a kit holds, what it was made from, what is attached to it.",
    epilog="Example: kitline inspect iris:v1 --json",
)
@click.argument("source", metavar="REF")
@click.option("--no-referrers", is_flag=True, help="Do not ask for what is attached.")
@options.with_options(*options.connection_options)
@options.json_option
def command(
    source: str,
    no_referrers: bool,
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
    result = inspect(source, settings=settings, referrers=not no_referrers)
    if as_json:
        options.print_json(result.to_json())
        return
    _show(result)
    click.echo(str(result.reference))


def _show(result: Inspection) -> None:
    """Print a table of the kit on stderr, so that stdout holds the pinned reference alone."""
    from rich.table import Column, Table
    from rich.text import Text

    from kitline.kit.kitfile_write import write_kitfile

    kitfile = write_kitfile(result.kit.kitfile).rstrip()
    console = options.console(err=True)
    console.print(Text(options.printable_lines(kitfile)))
    path = Column("path", overflow="fold")
    table = Table("drawer", path, "size", "digest", box=None, pad_edge=False, header_style="bold")
    for part, layer in result.kit.layers:
        table.add_row(
            part.drawer,
            Text(options.printable(part.clean_path)),
            options.human_size(layer.size),
            layer.digest.hex[:12],
        )
    console.print()
    console.print(table)
    for parent in result.parents:
        console.print(Text(options.printable(f"made from {parent['digest']} ({parent['role']})")))
    for each in result.referrers:
        kind = each.artifact_type or each.media_type
        console.print(Text(options.printable(f"attached: {kind} {each.digest}")))
