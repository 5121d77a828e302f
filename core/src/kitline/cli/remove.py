"""kitline remove: take a tag or a kit away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.operations.naming import Removed


@click.command(
    "remove",
    short_help="Take a tag away, or a kit with all its tags.",
    epilog="Example: kitline remove iris:v1",
)
@click.argument("source", metavar="REF")
@click.option(
    "--force", is_flag=True, help="Remove a kit although others are known to be made from it."
)
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    force: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Remove the tag that REF names, or with 'NAME@sha256:…' the kit and all its tags.

    A kit that others are known to be made from is not removed; they are listed.
    """
    from kitline.operations.naming import remove

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = remove(source, force=force, settings=settings)
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        _explain(result)
    click.echo(str(result.reference))


def _explain(result: Removed) -> None:
    for tag in result.tags:
        options.say(f"removed tag {tag!r}")
    if result.has_content:
        options.say(f"the kit is still there; 'kitline remove {result.reference}' removes it")
    else:
        options.say("removed the kit")
