"""kitline pull: a kit from a registry to the local store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.transfer_options import transfer_options

if TYPE_CHECKING:
    from kitline.cli.transfer_options import TransferWords


@click.command(
    "pull",
    short_help="A kit from a registry to the local store, with its signatures.",
    epilog="Example: kitline pull registry.example/team/iris:v1",
)
@click.argument("source", metavar="REF")
@click.argument("name", required=False)
@transfer_options(options.policy_option)
def command(source: str, name: str | None, given: TransferWords) -> None:
    """Pull REF into the local store, under NAME or the name that was asked.

    What was pulled is found again by its pinned reference, without asking the registry.
    """
    from kitline.operations.transfer import pull

    settings = given.settings(source)
    given.run(partial(pull, source, name, settings=settings), f"pulled {source}")
