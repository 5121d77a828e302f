"""kitline pull: a kit from a registry to the local store."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "pull",
    short_help="A kit from a registry to the local store, with its signatures.",
    epilog="Example: kitline pull registry.example/team/iris:v1",
)
@click.argument("source", metavar="REF")
@click.argument("name", required=False)
@options.no_move_option
@options.policy_option
@options.with_options(*options.referrers_options, *options.connection_options)
@options.quiet_option
@options.json_option
def command(
    source: str,
    name: str | None,
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
    """Pull REF into the local store, under NAME or the name that was asked.

    What was pulled is found again by its pinned reference, without asking the registry.
    """
    from kitline.operations.transfer import pull

    settings = options.load_settings(
        source, plain_http=plain_http, insecure=insecure, ca_file=ca_file, policy=policy
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = pull(
            source,
            name,
            settings=settings,
            move=not no_move,
            referrers=not no_referrers,
            with_history=with_history,
            progress=progress,
        )
    options.print_kit(result, f"pulled {source}", as_json=as_json, quiet=quiet)
