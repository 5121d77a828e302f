"""kitline lineage: what a kit was made from, and what was made from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.errors import TargetError, UsageError

if TYPE_CHECKING:
    from kitline.operations.settings import Settings


@click.command(
    "lineage",
    short_help="What a kit was made from, and what was made from it.",
    epilog="Example: kitline lineage registry.example/team/iris:v1 --format html -O iris.html",
)
@click.argument("words", nargs=-1, metavar="REF | index [REPOSITORY]...")
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N", help="At most N steps from the kit."
)
@click.option("--type", "kind", metavar="TYPE", help="Only kits such as 'dataset' or 'model'.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "dot", "openlineage", "html"]),
    default="text",
    show_default=True,
    help="How to show it; 'html' is one page with a picture.",
)
@click.option("-O", "--output", metavar="FILE", help="Write there instead of to stdout.")
@click.option("--anew", is_flag=True, help="With 'index': forget what was read before.")
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    words: tuple[str, ...],
    up: bool,
    down: bool,
    depth: int | None,
    kind: str | None,
    form: str,
    output: str | None,
    anew: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show the lineage of the kit REF, up and down, with what the answer rests on.

    'kitline lineage index' reads repositories into the index that makes both directions quick:
    those given (or REGISTRY/team/*), those of KITLINE_LINEAGE and those that were given before. The
    local store is always in step.
    """
    if not words:
        raise UsageError("missing REF; see 'kitline lineage --help'")
    settings = options.load_settings(
        *words, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    if words[0] == "index":
        _index(words[1:], settings, anew=anew, quiet=quiet, as_json=as_json)
        return
    if len(words) > 1 or anew:
        raise UsageError("one REF at a time; '--anew' goes with 'kitline lineage index'")
    from kitline.operations.lineage.trace import trace_lineage

    found = trace_lineage(
        words[0],
        up=up or not down,
        down=down or not up,
        depth=depth,
        kind=kind,
        settings=settings,
    )
    for each in found.warnings:
        options.warn(each)
    text = found.render("json" if as_json else form)
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    _write(output, text)
    if not quiet:
        options.say(f"wrote {output}")


def _write(output: str, text: str) -> None:
    from kitline.store.durable import write_durably

    final = Path(output)
    try:
        write_durably(final, text.encode(), temporary=final.with_name(f".{final.name}.new"))
    except OSError as cause:
        raise TargetError(f"cannot write {output!r}: {cause.strerror}") from cause


def _index(
    repositories: tuple[str, ...], settings: Settings, *, anew: bool, quiet: bool, as_json: bool
) -> None:
    from kitline.operations.lineage.index import index_lineage

    with options.progress_shown(quiet=quiet) as progress:
        found = index_lineage(repositories, anew=anew, settings=settings, progress=progress)
    if as_json:
        options.print_json({"repositories": [each.to_json() for each in found]})
    for each in found:
        name = each.repository.removeprefix("local:")
        if each.problem:
            options.warn(f"{name} was not read: {each.problem}")
        elif not quiet and not as_json:
            options.say(f"read {name} ({options.count(each.manifests, 'manifest')})")
    if any(each.problem for each in found):
        raise click.exceptions.Exit(1)
