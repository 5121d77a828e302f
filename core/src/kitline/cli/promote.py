"""kitline promote: a stage such as production points at a kit from now on."""

from __future__ import annotations

import click

from kitline.cli import options
from kitline.cli.keys import ask_password
from kitline.cli.stage_moves import move_options, print_promotion


@click.command(
    "promote",
    short_help="Point a stage such as production at a kit, on record.",
    epilog="Example: kitline promote registry.example/team/iris@sha256:… production"
    " --require metric:accuracy:ge:0.9 --reason 'passed review'",
)
@click.argument("reference", metavar="REF")
@click.argument("stage")
@click.option(
    "--require",
    multiple=True,
    metavar="WHAT,…",
    help="What has to hold: signed, attestation:TYPE, metric:NAME:ge:0.9, newer-than:STAGE.",
)
@click.option(
    "--verify-key",
    metavar="KEY",
    help="Public key for 'signed'; attestations and metrics then have to be signed with it too.",
)
@click.option(
    "--check", metavar="CMD", help="Run this afterwards; if it fails, the stage is rolled back."
)
@click.option("--to", metavar="REPO", help="A repository of the stage's own; the kit is copied.")
@options.with_options(*move_options)
def command(
    reference: str,
    stage: str,
    reason: str,
    require: tuple[str, ...],
    verify_key: str | None,
    check: str | None,
    to: str | None,
    key: str | None,
    write_back: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Point STAGE at the kit REF, and put that on record.

    The records are the truth and the tag STAGE follows them. Promoting what the stage holds already
    records nothing. With --key the record is signed.
    """
    from kitline.operations.stages.promote import promote

    settings = options.load_settings(
        reference,
        to,
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
        write_back=write_back,
    )
    result = promote(
        reference,
        stage,
        reason=reason,
        require=require,
        check=check,
        to=to,
        key=key,
        verify_key=verify_key,
        settings=settings,
        plugins=options.load_plugins(settings),
        ask_password=ask_password(),
    )
    print_promotion(result, as_json=as_json, quiet=quiet)
