"""kitline stages: what production and the others hold, and what they held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import verifying_key_option

if TYPE_CHECKING:
    from kitline.operations.stages.state import StageTable


@click.command(
    "stages",
    short_help="What the stages of a repository hold, since when and by whom.",
    epilog="Example: kitline stages registry.example/team/iris --history production",
)
@click.argument("pattern", metavar="REPO")
@click.option("--history", metavar="STAGE", help="Every move of one stage.")
@click.option(
    "--at", metavar="TIME", help="What they held then: RFC 3339, a date, or a span such as 2h."
)
@verifying_key_option()
@options.with_options(*options.connection_options)
@options.json_option
def command(
    pattern: str,
    history: str | None,
    at: str | None,
    key: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """Show what the stages of REPO hold; 'registry.example/team/*' shows those of many.

    The records are the truth; a tag that differs, or that something else moved, is said to.
    """
    from kitline.operations.stages.pattern import is_pattern, registry_of
    from kitline.operations.stages.table import stages

    registry = registry_of(pattern) if is_pattern(pattern) else None
    settings = options.load_settings(
        f"{registry}/x" if registry else None if is_pattern(pattern) else pattern,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
    )
    table = stages(pattern, history=history, at=at, key=key, settings=settings)
    _warn(table)
    if as_json:
        with_history = history is not None
        options.print_json(table.to_json(history=with_history))
    elif not table.states:
        options.say(f"no stage in {pattern!r}; 'kitline promote' makes one")
    elif history is not None:
        _show_history(table)
    else:
        _show(table)


def _warn(table: StageTable) -> None:
    for each in table.warnings:
        options.warn(each)
    for state in table:
        for each in state.problems:
            options.warn(each)
        for lost in state.lost[-3:]:
            options.warn(
                f"{state.stage}: record {lost.seq} by {lost.who or 'nobody named'} ({lost.kit})"
                " lost against another move at the same time"
            )
        if state.note:
            options.warn(f"{state.repository}: {state.stage}: {state.note}")


def _show(table: StageTable) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    from kitline.operations.stages.state import HEADINGS

    several = len({each.repository for each in table}) > 1
    names = [*(["repository"] if several else []), *HEADINGS]
    columns = (Column(each, overflow="fold") for each in names)
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for each in table:
        cells = [*([each.repository] if several else []), *each.cells]
        shown.add_row(*(Text(options.printable(cell)) for cell in cells))
    options.console().print(shown)


def _show_history(table: StageTable) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    shown = Table(
        "no.",
        "move",
        "kit",
        "when",
        Column("by", overflow="fold"),
        Column("why", overflow="fold"),
        "signed",
        "note",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for state in table:
        for each in state.shown_history:
            signed = each.signed_by or ("yes, not verified" if each.signed else "no")
            cells = (
                str(each.seq),
                each.action,
                each.kit.hex[:12],
                f"{each.when:%Y-%m-%d %H:%M:%S}Z",
                each.who or "–",
                each.reason,
                signed,
                "lost" if each.lost else ("held now" if each.digest == state.record else ""),
            )
            shown.add_row(*(Text(options.printable(cell)) for cell in cells))
    options.console().print(shown)
