"""kitline copy: a kit between any two places."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "copy",
    short_help="A kit between registries, local store, OCI layouts, archives.",
    epilog="Example: kitline copy registry.example/team/iris:v1 oci-archive:iris.tar:v1",
)
@click.argument("source", metavar="REF")
@click.argument("to", metavar="TARGET")
@options.no_keep_tag_option
@options.write_back_option
@options.no_move_option
@options.policy_option
@options.with_options(*options.referrers_options, *options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    to: str,
    no_keep_tag: bool,
    write_back: str | None,
    no_move: bool,
    no_referrers: bool,
    with_history: bool,
    policy: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Copy REF to TARGET; both may be 'oci:FOLDER[:TAG]' or 'oci-archive:FILE[:TAG]'."""
    from kitline.operations.transfer import copy

    settings = options.load_settings(
        source,
        to,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        policy=policy,
        write_back=write_back,
        no_keep_tag=no_keep_tag,
    )
    plugins = options.load_plugins(settings)
    with options.progress_shown(quiet=quiet) as progress:
        result = copy(
            source,
            to,
            settings=settings,
            plugins=plugins,
            move=not no_move,
            referrers=not no_referrers,
            with_history=with_history,
            progress=progress,
        )
    options.print_kit(result, f"copied {source}", as_json=as_json, quiet=quiet)
