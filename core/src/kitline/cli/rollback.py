"""kitline rollback: a stage goes back to the last kit that was good."""

from __future__ import annotations

import click

from kitline.cli import options
from kitline.cli.keys import ask_password
from kitline.cli.stage_moves import move_options, print_promotion


@click.command(
    "rollback",
    short_help="Point a stage back at the last kit that was good.",
    epilog="Example: kitline rollback registry.example/team/iris production --reason 'drifts'",
)
@click.argument("repository", metavar="REPO")
@click.argument("stage")
@click.option("--to", metavar="DIGEST", help="A kit that the stage held; 8 hex digits do.")
@click.option(
    "--before", metavar="TIME", help="What was good then: RFC 3339, a date, or a span such as 2h."
)
@options.with_options(*move_options)
def command(
    repository: str,
    stage: str,
    to: str | None,
    before: str | None,
    reason: str,
    key: str | None,
    write_back: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Point STAGE in REPO back at the last kit that was good, and put that on record.

    A kit that was rolled back from is not good until it is promoted again, and revoked ones are
    passed over. Doing it again goes back further.
    """
    from kitline.operations.stages.rollback import rollback

    settings = options.load_settings(
        repository,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
    )
    result = rollback(
        repository,
        stage,
        to=to,
        before=before,
        reason=reason,
        key=key,
        settings=settings,
        plugins=options.load_plugins(settings),
        ask_password=ask_password(),
    )
    print_promotion(result, as_json=as_json, quiet=quiet)
