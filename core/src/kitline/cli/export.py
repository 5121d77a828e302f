"""kitline export: a ModelKit to a tool."""

from __future__ import annotations

import click

from kitline.cli import options
from kitline.cli.pack import read_pairs


@click.command(
    "export",
    short_help="A ModelKit to a tool, such as an MLflow model registry.",
    epilog="Example: kitline export iris:v1 mlflow -o register=iris",
)
@click.argument("source", metavar="REF")
@click.argument("target")
@click.option(
    "-o", "--option", "pairs", multiple=True, metavar="K=V", help="Option of the exporter."
)
@options.policy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    target: str,
    pairs: tuple[str, ...],
    policy: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Export the ModelKit REF to TARGET: an exporter's name, with ':' and a place if it takes one.

    'kitline plugins' shows which exporters are installed.
    """
    from kitline.operations.export import export

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file, policy=policy
    )
    plugins = options.load_plugins(settings)
    with options.progress_shown(quiet=quiet) as progress:
        result = export(
            source,
            target,
            settings=settings,
            plugins=plugins,
            options=read_pairs(pairs, "--option"),
            progress=progress,
        )
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        options.say(f"{'was there already' if result.existed else 'exported'}: {result.target}")
        for note in result.notes:
            options.say(note)
    click.echo(str(result.reference))
