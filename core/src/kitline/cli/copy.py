"""kitline copy: a kit between any two places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.transfer_options import transfer_options

if TYPE_CHECKING:
    from kitline.cli.transfer_options import TransferWords


@click.command(
    "copy",
    short_help="A kit between registries, local store, OCI layouts, archives.",
    epilog="Example: kitline copy registry.example/team/iris:v1 oci-archive:iris.tar:v1",
)
@click.argument("source", metavar="REF")
@click.argument("to", metavar="TARGET")
@click.option(
    "--with-parents",
    is_flag=True,
    help="Take along the kits that it was made from, and those that they were made from.",
)
@transfer_options(options.no_keep_tag_option, options.write_back_option, options.policy_option)
def command(source: str, to: str, with_parents: bool, given: TransferWords) -> None:
    """Copy REF to TARGET; both may be 'oci:FOLDER[:TAG]' or 'oci-archive:FILE[:TAG]'."""
    from kitline.operations.transfer import copy

    settings = given.settings(source, to)
    plugins = options.load_plugins(settings)
    work = partial(copy, source, to, settings=settings, plugins=plugins, with_parents=with_parents)
    given.run(work, f"copied {source}")
