"""kitline dvc: the verbs that only a DVC repository needs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from kitline import Settings
    from kitline.plugin import Progress

    from kitline_dvc.status import KitStatus
    from kitline_dvc.verify import Verdict

_SHOWN = 20

_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of words."
)
_quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="No progress and no words, only the result."
)
_repo_option = click.option(
    "--repo", default=".", metavar="FOLDER", show_default=True, help="A folder of the repository."
)
_plain_http_option = click.option(
    "--plain-http", is_flag=True, help="Speak plain HTTP to the registry named."
)
_ca_file_option = click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file of additional certificate authorities.",
)


def _connection_options(command: Callable[..., None]) -> Callable[..., None]:
    return _plain_http_option(_ca_file_option(command))


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
@_connection_options
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
    plain_http: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a stage into dvc.yaml that pulls REF by digest, and the digest into params.yaml.

    Again with another REF, it changes the digest; 'dvc repro' then pulls that kit.
    """
    from kitline_dvc.stage import add_stage

    result = add_stage(
        source,
        out=out,
        name=name,
        params=params,
        folder=repo,
        filters=filters,
        force=force,
        settings=_settings(source, plain_http=plain_http, ca_file=ca_file),
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


@group.command("verify", epilog="Example: kitline dvc verify reg.example/team/data:v2 --rev v2")
@click.argument("source", metavar="REF")
@click.option("--rev", default="HEAD", show_default=True, help="Commit, tag or branch of git.")
@click.option("--dataset", default="all", show_default=True, metavar="NAME", help="Only this one.")
@click.option("--path", metavar="PATH", help="Where the repository has it, if elsewhere.")
@click.option("--recorded", is_flag=True, help="Believe the md5 in the Kitfile; read no data.")
@_repo_option
@_connection_options
@_quiet_option
@_json_option
def verify_command(
    source: str,
    rev: str,
    dataset: str,
    path: str | None,
    recorded: bool,
    repo: str,
    plain_http: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Tell whether REF still holds what a git revision says, by the md5 of each file.

    Exits with 3 if it does not, and names the files that differ.
    """
    from kitline.errors import VerificationError

    from kitline_dvc.verify import verify

    with _progress(quiet=quiet) as progress:
        found = verify(
            source,
            revision=rev,
            repo=repo,
            path=path,
            dataset=dataset,
            recorded=recorded,
            settings=_settings(source, plain_http=plain_http, ca_file=ca_file),
            progress=progress,
        )
    if as_json:
        _print_json(found.to_json())
        if not found.is_equal:
            raise click.exceptions.Exit(VerificationError.exit_code)
        return
    if not found.is_equal:
        raise VerificationError(f"{found.reference} is not what {rev!r} says:{_differences(found)}")
    if not quiet:
        names = ", ".join(each.shown for each in found.paths)
        _say(f"equal: {names} at commit {found.commit[:12]}")
    click.echo(str(found.reference))


@group.command("fetch", epilog="Example: kitline dvc fetch reg.example/team/data:v2 ./data")
@click.argument("source", metavar="REF")
@click.argument("folder", metavar="DIR")
@click.option("--dataset", metavar="NAME", help="Only this one.")
@click.option("--remote", metavar="NAME", help="The repository's remote to read from.")
@click.option("--url", metavar="URL", help="A remote's address, outside of a repository.")
@click.option("--force", is_flag=True, help="Replace files that are there and differ.")
@_repo_option
@_connection_options
@_quiet_option
@_json_option
def fetch_command(
    source: str,
    folder: str,
    dataset: str | None,
    remote: str | None,
    url: str | None,
    force: bool,
    repo: str,
    plain_http: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fetch the data that REF holds by reference (data=reference) from a DVC remote into DIR.

    Each file is compared with the md5 and the size that the kit names before it appears.
    """
    from kitline_dvc.fetch import fetch

    with _progress(quiet=quiet) as progress:
        result = fetch(
            source,
            folder,
            dataset=dataset,
            repo=repo,
            remote=remote,
            url=url,
            force=force,
            settings=_settings(source, plain_http=plain_http, ca_file=ca_file),
            progress=progress,
        )
    if as_json:
        _print_json(result.to_json())
        return
    if not quiet:
        _say(f"fetched {result.fetched} of {result.files} files into {folder}")
    click.echo(str(result.reference))


def _settings(source: str, *, plain_http: bool, ca_file: str | None) -> Settings:
    """Return the settings; `--plain-http` holds for the registry in the name."""
    from dataclasses import replace

    import kitline

    settings = kitline.Settings.load(options={"ca_file": ca_file})
    if not plain_http or source.startswith("oci"):
        return settings
    host = kitline.Reference.parse(source).registry
    return replace(settings, plain_http=(*settings.plain_http, *([host] if host else [])))


def _progress(*, quiet: bool) -> AbstractContextManager[Progress]:
    """Show progress as kitline's own verbs do."""
    from kitline.plugin import ExportContext

    shown = click.get_current_context().find_root().obj
    return shown(quiet=quiet) if callable(shown) else nullcontext(ExportContext().progress)


def _differences(found: Verdict) -> str:
    """Return one line for each file that differs, as far as people read."""
    lines = []
    for each in found.paths:
        if each.note:
            lines.append(f"{each.path}: {each.note}")
        lines += [
            f"{each.path}: {kind} {path}".rstrip() if path else f"{each.path}: {kind}"
            for kind, path in each.changes
        ]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "".join(f"\n  {line}" for line in [*lines[:_SHOWN], *more])


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
