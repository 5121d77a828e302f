"""kitline prune: remove kits that nothing needs any more."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.operations.prune.plan import Plan


@click.command(
    "prune",
    short_help="Remove kits that nothing needs; a plan is shown first.",
    epilog="Example: kitline prune registry.example/team/iris --keep-stages --keep-last 5"
    " --keep-newer 30d --dry-run",
)
@click.argument("repository", metavar="REPO")
@click.option(
    "--keep-stages",
    is_flag=True,
    help="Keep what stages hold and held, and what that descends from; always so.",
)
@click.option(
    "--keep-last", type=click.IntRange(min=0), default=0, metavar="N", help="Keep the newest N."
)
@click.option("--keep-newer", metavar="SPAN", help="Keep what is younger, such as 30d.")
@click.option("--keep-tag", "keep_tags", multiple=True, metavar="PATTERN", help="Such as 'v*'.")
@click.option(
    "--grace", default="1h", show_default=True, metavar="SPAN", help="Nothing younger goes."
)
@click.option(
    "--ignore-edges", is_flag=True, help="Remove kits though what was made from them exists."
)
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; nobody is asked without a terminal.")
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    repository: str,
    keep_stages: bool,
    keep_last: int,
    keep_newer: str | None,
    keep_tags: tuple[str, ...],
    grace: str,
    ignore_edges: bool,
    dry_run: bool,
    yes: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Remove the kits of REPO that nothing needs, with what is attached to them.

    What a stage holds or held stays, with all that it descends from; so does every kit from which
    something was made that still exists, in whatever repository, or that cannot be reached. At
    least one rule has to say what to keep.
    """
    from kitline.errors import UsageError
    from kitline.operations.prune.prune import prune

    if not (keep_stages or keep_last or keep_newer or keep_tags):
        raise UsageError(
            "say what to keep: --keep-stages, --keep-last N, --keep-newer SPAN or --keep-tag"
        )
    settings = options.load_settings(
        repository, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    ask = sys.stdin is not None and sys.stdin.isatty() and not yes
    result = prune(
        repository,
        keep_last=keep_last,
        keep_newer=keep_newer,
        keep_tags=keep_tags,
        grace=grace,
        ignore_edges=ignore_edges,
        dry_run=dry_run,
        agree=partial(_agree, ask=ask, quiet=quiet, dry_run=dry_run),
        settings=settings,
    )
    if dry_run:
        show_plan(result.plan, quiet=quiet)
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
    elif not quiet:
        kits = options.count(len(result.removed), "kit")
        would = options.count(len(result.plan.going), "kit")
        size = options.human_size(result.plan.frees)
        options.say(
            f"would remove {would} and free {size}; nothing was removed"
            if result.dry_run
            else f"removed {kits} and what was attached; that frees {size}"
        )


def _agree(plan: Plan, *, ask: bool, quiet: bool, dry_run: bool) -> bool:
    """Show the plan, and ask where somebody sits at a terminal."""
    show_plan(plan, quiet=quiet and not ask)
    if not plan.going or not ask:
        return not dry_run
    answer: bool = click.confirm(
        f"remove {options.count(len(plan.going), 'kit')} from {plan.repository}?", err=True
    )
    return answer


def show_plan(plan: Plan, *, quiet: bool) -> None:
    """Print what goes and what stays, and why, on stderr."""
    if quiet:
        return
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        "",
        "kit",
        Column("tags", overflow="fold"),
        "since",
        "size",
        Column("because", overflow="fold"),
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for each in plan.kits:
        cells = (
            "remove" if each.goes else "keep",
            each.digest.hex[:12],
            ", ".join(each.tags) or "–",
            f"{each.since:%Y-%m-%d %H:%M}Z",
            options.human_size(each.size),
            "; ".join(each.kept) or "nothing needs it",
        )
        table.add_row(*(Text(options.printable(cell)) for cell in cells))
    options.console(err=True).print(table)
