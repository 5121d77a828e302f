"""kitline compare: two kits side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import verifying_key_option

if TYPE_CHECKING:
    from kitline.operations.compare import Comparison


@click.command(
    "compare",
    short_help="Parameters, metrics, data and files of two kits side by side.",
    epilog="Example: kitline compare registry.example/team/iris:champion challenger",
)
@click.argument("left", metavar="REF")
@click.argument("right", metavar="OTHER")
@click.option("--repository", "-r", metavar="REPO", help="Where REF and OTHER are tags.")
@click.option("--no-files", is_flag=True, help="Compare layers by digest, without reading them.")
@click.option("--all", "everything", is_flag=True, help="Also what is the same in both.")
@verifying_key_option()
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    left: str,
    right: str,
    repository: str | None,
    no_files: bool,
    everything: bool,
    key: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show two kits side by side, with what was said of them since they were made.

    OTHER may be a tag in the repository of REF, such as 'challenger'. Metrics come from
    evaluations that are attached, else from the run that made a kit; with --key only from what its
    owner signed.
    """
    from kitline.operations.compare import compare

    settings = options.load_settings(
        repository or left, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = compare(
            left,
            right,
            repository=repository,
            files=not no_files,
            key=key,
            settings=settings,
            progress=progress,
        )
    if as_json:
        options.print_json(result.to_json())
    else:
        _show(result, everything=everything)


def _show(result: Comparison, *, everything: bool) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    from kitline.operations.compare import mark, shown

    if result.left.digest == result.right.digest:
        options.say(f"both are {result.left}")
    table = Table(
        "",
        Column("name", overflow="fold"),
        Column(options.printable(result.left_name), overflow="fold"),
        Column(options.printable(result.right_name), overflow="fold"),
        "",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    rows = [each for each in result.rows if everything or each.differs or each.section == "metric"]
    last = ""
    for each in rows:
        section = each.section if each.section != last else ""
        last = each.section
        cells = (section, each.name, shown(each.left), shown(each.right), mark(each))
        table.add_row(*(Text(options.printable(cell)) for cell in cells))
    if rows:
        options.console().print(table)
    left = len(result.rows) - len(rows)
    if left:
        options.say(
            f"{options.count(left, 'more')} alike; '--all' shows them".replace("mores", "more")
        )
    if not result.rows:
        options.say("nothing is known that could be compared")
