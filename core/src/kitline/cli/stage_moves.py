"""What `promote` and `rollback` share: the options of a move, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import signing_key_option

if TYPE_CHECKING:
    from kitline.operations.stages.result import Promotion

move_options = (
    click.option("--reason", default="", help="Why, for the record."),
    signing_key_option(required=False),
    options.write_back_option,
    *options.connection_options,
    options.quiet_option,
    options.json_option,
)


def print_promotion(result: Promotion, *, as_json: bool, quiet: bool) -> None:
    """Print what moved: words on stderr, the pinned reference as the last line of stdout."""
    for warning in result.warnings:
        options.warn(warning)
    for each in result.write_backs:
        if each.warning:
            options.warn(f"{each.plugin} was not told: {each.warning}")
        elif not quiet:
            options.say(f"told {each.plugin}: {each.target}")
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        options.say(_words(result))
    click.echo(str(result.reference))


def _words(result: Promotion) -> str:
    if not result.changed:
        return f"{result.stage} holds {result.digest} already (record {result.seq})"
    moved = "rolled back" if result.action == "rollback" else "moved"
    before = f" from {result.previous}" if result.previous is not None else ""
    return f"{result.stage} {moved}{before} to {result.digest} (record {result.seq})"
