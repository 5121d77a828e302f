"""kitline list: what is in the local store or in a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from kitline.operations.list_ import ListedKit


@click.command(
    "list",
    short_help="Kits of the local store, or of a repository.",
    epilog="Example: kitline list registry.example/team/iris",
)
@click.argument("repository", required=False)
@click.option("--all", "all_tags", is_flag=True, help="Also the tags that kits keep themselves.")
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    repository: str | None,
    all_tags: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """List the kits of REPOSITORY, or of the whole local store."""
    from kitline.operations.list_ import list_

    settings = options.load_settings(
        repository, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    kits = list_(repository, settings=settings, all_tags=all_tags)
    if as_json:
        options.print_json({"kits": [each.to_json() for each in kits]})
    elif kits:
        _show(kits)
    elif quiet:
        return
    elif repository is not None:
        hidden = not all_tags and list_(repository, settings=settings, all_tags=True)
        why = ": it has only tags that kits keep for themselves; '--all' shows them"
        options.say(f"no kit is listed under {repository!r}{why if hidden else ''}")
    else:
        options.say("the local store is empty; 'kitline pack' or 'kitline import' fill it")


def _show(kits: list[ListedKit]) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("repository", overflow="fold"),
        Column("tags", overflow="fold"),
        Column("name", overflow="fold"),
        "size",
        "digest",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for kit in kits:
        table.add_row(
            Text(kit.repository),
            Text(", ".join(kit.tags) or "–"),
            Text(options.printable(kit.name)),
            "–" if kit.problem else options.human_size(kit.size),
            kit.digest.hex[:12] if kit.digest else "–",
        )
    options.console().print(table)
    for kit in kits:
        if kit.problem:
            which = f" {kit.digest.hex[:12]}" if kit.digest else ""
            options.warn(f"{kit.repository}:{which} cannot be read: {kit.problem}")
