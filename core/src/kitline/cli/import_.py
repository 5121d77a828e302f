"""kitline import: a tool's object to a ModelKit."""

from __future__ import annotations

import click

from kitline.cli import options
from kitline.cli.pack import read_pairs


@click.command(
    "import",
    short_help="A tool's object, such as an MLflow run, to a ModelKit.",
    epilog="Example: kitline import mlflow://runs/0a1b2c… -t iris:v1",
)
@click.argument("source")
@click.option("-t", "--tag", "to", required=True, metavar="REF", help="Name of the kit.")
@click.option(
    "-o", "--option", "pairs", multiple=True, metavar="K=V", help="Option of the importer."
)
@options.write_back_option
@click.option("--rehash", is_flag=True, help="Read every file, whatever is remembered of it.")
@options.no_keep_tag_option
@options.no_move_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    to: str,
    pairs: tuple[str, ...],
    write_back: str | None,
    rehash: bool,
    no_keep_tag: bool,
    no_move: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Import SOURCE as the ModelKit REF; 'kitline plugins' shows what can be imported."""
    from kitline.operations.import_ import import_

    settings = options.load_settings(
        to,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
        no_keep_tag=no_keep_tag,
    )
    plugins = options.load_plugins(settings)
    with options.progress_shown(quiet=quiet) as progress:
        result = import_(
            source,
            to,
            settings=settings,
            plugins=plugins,
            options=read_pairs(pairs, "--option"),
            move=not no_move,
            rehash=rehash,
            progress=progress,
        )
    options.print_kit(result, f"imported {source}", as_json=as_json, quiet=quiet)
