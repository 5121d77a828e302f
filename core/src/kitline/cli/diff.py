"""kitline diff: what differs between two kits."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "diff",
    short_help="What differs between two kits: files, parameters, metrics, description.",
    epilog="Example: kitline diff iris:v1 iris:v2",
)
@click.argument("left", metavar="REF")
@click.argument("right", metavar="OTHER")
@click.option(
    "--no-files", is_flag=True, help="Compare layers by digest only, without reading them."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything differs.")
@options.with_options(*options.connection_options)
@options.progress_option
@options.json_option
def command(
    left: str,
    right: str,
    no_files: bool,
    exit_code: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show what differs from REF to OTHER; layers of equal digest are not read."""
    from kitline.operations.diff import diff

    settings = options.load_settings(
        left, right, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = diff(left, right, settings=settings, files=not no_files, progress=progress)
    if as_json:
        options.print_json(result.to_json())
    else:
        marks = {"added": "+", "removed": "-", "changed": "~"}
        for each in result.changes:
            line = f"{marks[each.kind]} {each.what} {each.name}{each.detail}"
            click.echo(options.printable(line))
        if not result.changes:
            options.say("no difference")
    if exit_code and result.changes:
        raise click.exceptions.Exit(1)
