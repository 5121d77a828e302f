"""What several verbs share: options, settings and how results are printed."""

from __future__ import annotations

import functools
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.plugin.manager import Plugins
    from kitline.store.progress import Progress

F = TypeVar("F", bound="Callable[..., Any]")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of words."
)
no_keep_tag_option = click.option(
    "--no-keep-tag", is_flag=True, help="Leave no tag of its own beside the kit in a registry."
)
no_move_option = click.option(
    "--no-move", is_flag=True, help="Refuse to move a tag that points elsewhere."
)
write_back_option = click.option(
    "--write-back",
    type=click.Choice(["warn", "require", "off"]),
    help="What it means if the tool cannot be told of the push; 'require' exits with 4.",
)
referrers_options = (
    click.option(
        "--no-referrers", is_flag=True, help="Leave signatures, attestations and the like behind."
    ),
    click.option(
        "--with-history",
        is_flag=True,
        help="Take derived edges and promotion records along, which otherwise stay.",
    ),
)
no_provenance_option = click.option(
    "--no-provenance",
    is_flag=True,
    help="Attach nothing about the run and the places that the kit comes from.",
)
made_from_options = (
    click.option(
        "--parent",
        "parents",
        multiple=True,
        metavar="[ROLE=]REF",
        help="Kit that this one is made from; a tag is resolved to its digest now. ROLE is 'data'"
        " unless given, such as 'base' for a model that was trained further.",
    ),
    no_provenance_option,
)
policy_option = click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False),
    help="File with a [policy] that has to be obeyed too, as that of KITLINE_POLICY.",
)
connection_options = (
    click.option("--plain-http", is_flag=True, help="Speak plain HTTP to the registries named."),
    click.option("--insecure", is_flag=True, help="Do not check the registry's certificate."),
    click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False),
        help="PEM file of additional certificate authorities.",
    ),
)
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="No progress and no words, only the result."
)


def with_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Apply several options to a command, in the order given."""

    def apply(function: F) -> F:
        return functools.reduce(lambda found, option: option(found), reversed(options), function)

    return apply


def load_settings(
    *names: str | None,
    plain_http: bool = False,
    insecure: bool = False,
    ca_file: str | None = None,
    no_keep_tag: bool = False,
    policy: str | None = None,
    **options: object,
) -> Settings:
    """Collect the settings; `--plain-http` and `--insecure` hold for the registries in `names`."""
    from dataclasses import replace
    from pathlib import Path

    from kitline.operations.settings import Settings

    keep_tag = "false" if no_keep_tag else None
    settings = Settings.load(options={**options, "ca_file": ca_file, "keep_tag": keep_tag})
    if policy is not None:
        settings = settings.with_policy(Path(policy))
    hosts = _registries(names, settings)
    if plain_http:
        settings = replace(settings, plain_http=(*settings.plain_http, *hosts))
    if insecure:
        settings = replace(settings, insecure=(*settings.insecure, *hosts))
    return settings


def named_in(parents: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in `--parent [ROLE=]REF`, whose registries are asked too."""
    return tuple(each.partition("=")[2] or each for each in parents)


def load_plugins(settings: Settings) -> Plugins:
    """Load the installed plugins and say on stderr which ones failed."""
    from kitline.plugin.manager import Plugins

    plugins = Plugins.load(disabled=settings.disable_plugins)
    for status in plugins.list():
        if status.state == "failed":
            warn(f"plugin {status.name!r} was not loaded: {status.problem}")
    return plugins


@contextmanager
def progress_shown(*, quiet: bool) -> Iterator[Progress]:
    """Show bars where stderr is a terminal, and lines anywhere if KITLINE_PROGRESS is `lines`."""
    from kitline.store.progress import SILENT

    if not quiet and os.environ.get("KITLINE_PROGRESS") == "lines":
        from kitline.cli.progress_lines import Lines

        yield Lines()
        return
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield SILENT
        return
    from kitline.cli.progress import Bars

    with Bars() as bars:
        yield bars


def say(text: str) -> None:
    """Print words for people, on stderr; what comes from outside cannot steer the terminal."""
    click.echo(printable_lines(text), err=True)


def warn(text: str) -> None:
    """Print a warning, on stderr."""
    click.echo(f"{click.style('warning', fg='yellow')}: ", err=True, nl=False)
    say(text)


def print_json(value: object) -> None:
    """Print one JSON object on stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if not text.replace("\n", "").isprintable():
        # JSON itself leaves some characters as they are that steer terminals
        text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    click.echo(text)


def print_kit(result: KitResult, verb: str, *, as_json: bool, quiet: bool = False) -> None:
    """Print a kit: words on stderr, the pinned reference as the last line of stdout."""
    for warning in result.warnings:
        warn(warning)
    for each in result.write_backs:
        if each.warning:
            warn(f"{each.plugin} was not told: {each.warning}")
        elif not quiet:
            say(f"told {each.plugin}: {each.target}")
    if as_json:
        print_json(result.to_json())
        return
    if not quiet:
        say(f"{verb} {summary(result)}".rstrip())
    if result.previous is not None:
        say(f"tag {result.tag!r} moved here from {result.previous}")
    click.echo(str(result.reference))


def summary(result: KitResult) -> str:
    """Say what was moved and what was there before."""
    parts = []
    if result.moved_blobs:
        parts.append(f"{result.moved_blobs} new, {human_size(result.moved_bytes)}")
    if result.existing_blobs:
        parts.append(f"{result.existing_blobs} there already")
    if result.referrers:
        parts.append(count(result.referrers, "referrer"))
    return f"({'; '.join(parts)})" if parts else ""


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 layer`, `2 layers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return text from outside without characters that could steer a terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def printable_lines(text: str) -> str:
    """Return text of several lines without characters that could steer a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))


def console(*, err: bool = False) -> Console:
    """Return where tables are printed; piped ones are as wide as their content."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream is not None and stream.isatty() else 1000
    return Console(stderr=err, highlight=False, soft_wrap=True, width=width)


def human_size(size: int) -> str:
    """Return a size as people read it: `1.5 MiB`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def _registries(names: tuple[str | None, ...], settings: Settings) -> tuple[str, ...]:
    from kitline.errors import InvalidReference
    from kitline.oci.reference import Reference

    found = []
    for name in (*names, settings.registry):
        try:
            reference = Reference.parse(name if name and "/" in name else f"{name}/x")
        except InvalidReference:
            continue  # the verb itself will say what is wrong with it
        if reference.registry:
            found.append(reference.registry)
    return tuple(found)
