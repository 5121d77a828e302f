"""kitline import: a tool's object to a ModelKit, or many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import click

from kitline.cli import options
from kitline.cli.pack import read_pairs
from kitline.errors import UsageError

if TYPE_CHECKING:
    from kitline.operations.settings import Settings
    from kitline.plugin.manager import Plugins


@click.command(
    "import",
    short_help="A tool's object, such as an MLflow run, to a ModelKit.",
    epilog="Example: kitline import mlflow://runs/0a1b2c… -t iris:v1",
)
@click.argument("source", required=False)
@click.option("-t", "--tag", "to", metavar="REF", help="Name of the kit.")
@click.option(
    "--from",
    "lines",
    type=click.File("rb"),
    metavar="FILE|-",
    help="Import many: lines 'SOURCE REF', words quoted as in a shell, '#' for comments. Goes on"
    " after failures and prints one line of JSON for each.",
)
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="Only print what SOURCE holds, such as the runs of an experiment, one a line.",
)
@click.option(
    "-o",
    "--option",
    "pairs",
    multiple=True,
    metavar="K=V",
    help="Option of the importer; 'again=true' makes anew what the tool knows as imported.",
)
@options.write_back_option
@click.option("--rehash", is_flag=True, help="Read every file, whatever is remembered of it.")
@options.with_options(*options.made_from_options)
@options.no_keep_tag_option
@options.no_move_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str | None,
    to: str | None,
    lines: BinaryIO | None,
    only_list: bool,
    pairs: tuple[str, ...],
    write_back: str | None,
    rehash: bool,
    parents: tuple[str, ...],
    no_provenance: bool,
    no_keep_tag: bool,
    no_move: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Import SOURCE as the ModelKit REF; 'kitline plugins' shows what can be imported."""
    _check_request(source, to, many=lines is not None, only_list=only_list)
    texts = [] if lines is None else _read_lines(lines)
    settings = options.load_settings(
        to,
        *_targets(texts),
        *options.named_in(parents),
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
        no_keep_tag=no_keep_tag,
    )
    plugins = options.load_plugins(settings)
    chosen = read_pairs(pairs, "--option")
    if only_list:
        _list(source or "", settings, plugins, chosen, as_json=as_json)
        return
    packing: dict[str, Any] = {
        "move": not no_move,
        "rehash": rehash,
        "parents": parents,
        "provenance": not no_provenance,
    }
    if lines is not None:
        _import_many(texts, settings, plugins, chosen, packing, quiet=quiet)
        return
    from kitline.operations.import_ import import_

    with options.progress_shown(quiet=quiet) as progress:
        result = import_(
            source or "",
            to or "",
            settings=settings,
            plugins=plugins,
            options=chosen,
            **packing,
            progress=progress,
        )
    verb = f"{source} was imported before" if result.existed else f"imported {source}"
    options.print_kit(result, verb, as_json=as_json, quiet=quiet)


def _check_request(source: str | None, to: str | None, *, many: bool, only_list: bool) -> None:
    """Refuse words that do not go together."""
    if many and (source or to or only_list):
        raise UsageError("'--from' brings sources and names of its own; leave out the others")
    if only_list and to:
        raise UsageError("'--list' imports nothing; leave out '-t'")
    if not many and not source:
        raise UsageError("missing SOURCE; see 'kitline import --help'")
    if not many and not only_list and not to:
        raise UsageError("missing option '-t' with the name of the kit")


def _read_lines(lines: BinaryIO) -> list[str]:
    # what is no UTF-8 fails line by line, as the name of a kit or a source
    return lines.read().decode("utf-8", "surrogateescape").split("\n")


def _targets(lines: list[str]) -> list[str]:
    from kitline.operations.import_many import read_target

    return [target for each in lines if (target := read_target(each))]


def _list(
    source: str, settings: Settings, plugins: Plugins, chosen: dict[str, str], *, as_json: bool
) -> None:
    from kitline.cli.import_lines import print_sources
    from kitline.operations.import_many import list_sources

    found = list_sources(source, settings=settings, plugins=plugins, options=chosen)
    print_sources(found, as_json=as_json)


def _import_many(
    lines: list[str],
    settings: Settings,
    plugins: Plugins,
    chosen: dict[str, str],
    packing: dict[str, Any],
    *,
    quiet: bool,
) -> None:
    from kitline.cli.import_lines import print_outcomes
    from kitline.operations.import_many import import_many

    with options.progress_shown(quiet=quiet) as progress:
        outcomes = import_many(
            lines,
            settings=settings,
            plugins=plugins,
            options=chosen,
            **packing,
            progress=progress,
        )
        code = print_outcomes(outcomes, quiet=quiet)
    if code:
        raise click.exceptions.Exit(code)
