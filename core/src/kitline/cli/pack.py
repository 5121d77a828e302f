"""kitline pack: a folder to a ModelKit."""

from __future__ import annotations

import sys

import click

from kitline.cli import options
from kitline.errors import UsageError


@click.command(
    "pack",
    short_help="A folder to a ModelKit, stored here or straight in a registry.",
    epilog="Example: kitline pack ./model -t registry.example/team/iris:v1",
)
@click.argument("folder", type=click.Path())
@click.option("-t", "--tag", "to", required=True, metavar="REF", help="Name of the kit.")
@click.option("-f", "--file", "kitfile", metavar="FILE", help="Kitfile to use; '-' reads stdin.")
@click.option(
    "--symlinks",
    type=click.Choice(["follow", "skip"]),
    default="follow",
    show_default=True,
    help="Pack what links inside the folder point at, or leave links out as kit does.",
)
@click.option("--keep-modes", is_flag=True, help="Keep file modes instead of 0644 and 0755.")
@click.option(
    "--layer-format",
    type=click.Choice(["tar", "raw"]),
    default="tar",
    show_default=True,
    help="'raw' makes each layer the file itself; needs kit 1.15 to read.",
)
@click.option("--keep-mtime", is_flag=True, help="Note file times in raw layers.")
@click.option(
    "--annotation", "annotations", multiple=True, metavar="K=V", help="Manifest annotation."
)
@click.option("--no-recipe", is_flag=True, help="Leave the annotation 'io.kitline.recipe' out.")
@click.option("--rehash", is_flag=True, help="Read every file, whatever is remembered of it.")
@options.with_options(*options.made_from_options)
@options.no_keep_tag_option
@options.write_back_option
@options.no_move_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    folder: str,
    to: str,
    kitfile: str | None,
    symlinks: str,
    keep_modes: bool,
    layer_format: str,
    keep_mtime: bool,
    annotations: tuple[str, ...],
    no_recipe: bool,
    rehash: bool,
    parents: tuple[str, ...],
    no_provenance: bool,
    no_keep_tag: bool,
    write_back: str | None,
    no_move: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Pack FOLDER into a ModelKit named REF, without a second copy of anything.

    With a registry in REF the kit goes straight there. The Kitfile in the folder says what is
    what; without one it is derived from the files.
    """
    from kitline.operations.pack import pack

    settings = options.load_settings(
        to,
        *options.named_in(parents),
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
        no_keep_tag=no_keep_tag,
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = pack(
            folder,
            to,
            settings=settings,
            kitfile=sys.stdin.buffer.read() if kitfile == "-" else kitfile,
            symlinks=symlinks,
            keep_modes=keep_modes,
            layer_format=layer_format,
            keep_mtime=keep_mtime,
            annotations=read_pairs(annotations, "--annotation"),
            recipe=not no_recipe,
            move=not no_move,
            rehash=rehash,
            parents=parents,
            provenance=not no_provenance,
            progress=progress,
        )
    options.print_kit(result, f"packed {folder}", as_json=as_json, quiet=quiet)


def read_pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Read `key=value` options."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {text!r} is not KEY=VALUE")
        found[key] = value
    return found
