"""kitline dvc: the verbs that only a DVC repository needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_dvc.status import KitStatus

_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of words."
)
_quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="No progress and no words, only the result."
)
_repo_option = click.option(
    "--repo", default=".", metavar="FOLDER", show_default=True, help="A folder of the repository."
)


@click.group("dvc", short_help="Kits in a DVC repository: stages, their state, and checks.")
def group() -> None:
    """Kits in a DVC repository: stages that pull them, their state, and checks."""


@group.command("stage", epilog="Example: kitline dvc stage reg.example/team/data:v1 --out data/kit")
@click.argument("source", metavar="REF")
@click.option("--out", required=True, metavar="FOLDER", help="Where the kit is unpacked.")
@click.option(
    "--name",
    default="kit",
    show_default=True,
    help="Of the stage, and of its parameter NAME.digest.",
)
@click.option(
    "--params",
    default="params.yaml",
    show_default=True,
    metavar="FILE",
    help="The YAML file that holds the digest.",
)
@click.option(
    "-f", "--filter", "filters", multiple=True, metavar="FILTER", help="As of 'kitline unpack'."
)
@click.option("--force", is_flag=True, help="Replace a stage or parameter of that name.")
@_repo_option
@_quiet_option
@_json_option
def stage_command(
    source: str,
    out: str,
    name: str,
    params: str,
    filters: tuple[str, ...],
    force: bool,
    repo: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a stage into dvc.yaml that pulls REF by digest, and the digest into params.yaml.

    Again with another REF, it changes the digest; 'dvc repro' then pulls that kit.
    """
    from kitline_dvc.stage import add_stage

    result = add_stage(
        source, out=out, name=name, params=params, folder=repo, filters=filters, force=force
    )
    for warning in result.warnings:
        _warn(warning)
    if as_json:
        _print_json(result.to_json())
        return
    if not quiet:
        if result.previous:
            _say(f"{name}.digest was {result.previous}")
        if result.files:
            _say(f"wrote {', '.join(result.files)}; now run: dvc repro {name}")
            _say(f"then commit dvc.yaml, dvc.lock, {params} and .gitignore")
        else:
            _say("the stage was there already")
    click.echo(str(result.reference))


@group.command("status", epilog="Example: kitline dvc status --json")
@_repo_option
@_json_option
def status_command(repo: str, as_json: bool) -> None:
    """Show which paths came from a kit, and whether the digest still holds.

    'stale' means that the data has changed since, so that the digest beside it names other data.
    """
    from kitline_dvc.status import find_status

    found = find_status(repo)
    if as_json:
        _print_json({"paths": [each.to_json() for each in found]})
        return
    if not found:
        _say("no data of this repository came from a kit")
        return
    _print_table(found)


def _print_table(found: Sequence[KitStatus]) -> None:
    from kitline_dvc.status import MEANINGS

    rows = [
        ("PATH", "STATE", "KIT"),
        *((_plain(e.path), e.state, _plain(e.reference)) for e in found),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for path, state, reference in rows:
        click.echo(f"{path:<{widths[0]}}  {state:<{widths[1]}}  {reference}")
    for state in dict.fromkeys(each.state for each in found):
        if state != "current":
            _say(f"{state}: {MEANINGS[state]}")


def _say(text: str) -> None:
    click.echo(_plain(text), err=True)


def _warn(text: str) -> None:
    click.echo(f"{click.style('warning', fg='yellow')}: {_plain(text)}", err=True)


def _plain(text: str) -> str:
    """Return text from outside without characters that could steer a terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
