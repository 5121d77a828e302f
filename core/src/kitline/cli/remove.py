"""kitline remove: take a tag or a kit away."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "remove",
    short_help="Take a tag away, or a kit with all its tags.",
    epilog="Example: kitline remove iris:v1",
)
@click.argument("source", metavar="REF")
@options.with_options(*options.connection_options)
@options.json_option
def command(
    source: str, plain_http: bool, insecure: bool, ca_file: str | None, as_json: bool
) -> None:
    """Remove the tag that REF names, or with 'NAME@sha256:…' the kit and all its tags."""
    from kitline.operations.naming import remove

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = remove(source, settings=settings)
    if as_json:
        options.print_json(result.to_json())
        return
    for tag in result.tags:
        options.say(f"removed tag {tag!r}")
    if result.has_content:
        options.say(f"the kit is still there; 'kitline remove {result.reference}' removes it")
    else:
        options.say("removed the kit")
    click.echo(str(result.reference))
