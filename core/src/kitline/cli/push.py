"""kitline push: a kit of the local store to a registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.transfer_options import transfer_options

if TYPE_CHECKING:
    from kitline.cli.transfer_options import TransferWords


@click.command(
    "push",
    short_help="A kit of the local store to a registry, with its signatures.",
    epilog="Example: kitline push iris:v1 registry.example/team/iris:v1",
)
@click.argument("source", metavar="REF")
@click.argument("to", metavar="[TARGET]", required=False)
@options.no_provenance_option
@transfer_options(options.no_keep_tag_option, options.write_back_option)
def command(source: str, to: str | None, no_provenance: bool, given: TransferWords) -> None:
    """Push REF to TARGET; without TARGET below KITLINE_REGISTRY, or where REF itself says."""
    from kitline.operations.transfer import push

    settings = given.settings(source, to)
    plugins = options.load_plugins(settings)
    provenance = not no_provenance
    given.run(
        partial(push, source, to, settings=settings, plugins=plugins, provenance=provenance),
        f"pushed {source}",
    )
