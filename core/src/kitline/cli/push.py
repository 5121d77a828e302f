"""kitline push: a kit of the local store to a registry."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "push",
    short_help="A kit of the local store to a registry, with its signatures.",
    epilog="Example: kitline push iris:v1 registry.example/team/iris:v1",
)
@click.argument("source", metavar="REF")
@click.argument("to", metavar="[TARGET]", required=False)
@options.no_provenance_option
@options.no_keep_tag_option
@options.write_back_option
@options.no_move_option
@options.with_options(*options.referrers_options, *options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    to: str | None,
    no_provenance: bool,
    no_keep_tag: bool,
    write_back: str | None,
    no_move: bool,
    no_referrers: bool,
    with_history: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Push REF to TARGET; without TARGET below KITLINE_REGISTRY, or where REF itself says."""
    from kitline.operations.transfer import push

    settings = options.load_settings(
        source,
        to,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
        no_keep_tag=no_keep_tag,
    )
    plugins = options.load_plugins(settings)
    with options.progress_shown(quiet=quiet) as progress:
        result = push(
            source,
            to,
            settings=settings,
            plugins=plugins,
            move=not no_move,
            referrers=not no_referrers,
            with_history=with_history,
            provenance=not no_provenance,
            progress=progress,
        )
    options.print_kit(result, f"pushed {source}", as_json=as_json, quiet=quiet)
