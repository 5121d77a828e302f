"""kitline tag: one more name for a kit."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "tag",
    short_help="One more name for a kit; a moved tag says where it was.",
    epilog="Example: kitline tag iris@sha256:… candidate",
)
@click.argument("source", metavar="REF")
@click.argument("name", metavar="TAG")
@options.no_move_option
@options.with_options(*options.connection_options)
@options.json_option
def command(
    source: str,
    name: str,
    no_move: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """Point TAG at the kit REF, in the same repository."""
    from kitline.operations.naming import tag

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = tag(source, name, settings=settings, move=not no_move)
    options.print_kit(result, f"tagged {source} as {result.tag!r}", as_json=as_json)
