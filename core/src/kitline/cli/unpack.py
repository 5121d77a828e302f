"""kitline unpack: a kit's drawers to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.kit.staging import Overwrite


@click.command(
    "unpack",
    short_help="A kit's drawers to files, verified, from wherever it lies.",
    epilog="Example: kitline unpack iris:v1 -d ./iris -f model -f datasets:train",
)
@click.argument("source", metavar="REF")
@click.option("-d", "--dir", "folder", default=".", show_default=True, help="Where to.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="FILTER",
    help="TYPE[,TYPE…][:NAME-OR-PATH[,…]] with the types kitfile, model, datasets, code, docs,"
    " prompts and mcpservers.",
)
@click.option("-o", "--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("-i", "--ignore-existing", is_flag=True, help="Leave files that are there alone.")
@click.option("--include-remote", is_flag=True, help="Also fetch datasets that lie in other kits.")
@click.option("--no-sync", is_flag=True, help="Do not wait until the disk holds everything.")
@options.policy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    folder: str,
    filters: tuple[str, ...],
    overwrite: bool,
    ignore_existing: bool,
    include_remote: bool,
    no_sync: bool,
    policy: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Unpack REF; files appear only when every byte of them was verified."""
    from kitline.operations.unpack import unpack

    if overwrite and ignore_existing:
        raise click.UsageError("--overwrite and --ignore-existing exclude each other")
    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file, policy=policy
    )
    existing: Overwrite = "replace" if overwrite else "skip" if ignore_existing else "refuse"
    with options.progress_shown(quiet=quiet) as progress:
        result = unpack(
            source,
            folder,
            settings=settings,
            filters=filters,
            existing=existing,
            include_remote=include_remote,
            durable=not no_sync,
            progress=progress,
        )
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        size = options.human_size(result.size)
        layers = options.count(result.layers, "layer")
        options.say(f"unpacked {source} into {folder} ({layers}, {size})")
    click.echo(str(result.reference))
