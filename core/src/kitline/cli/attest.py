"""kitline attest: say something about a kit, signed or not."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kitline.cli import options
from kitline.cli.keys import ask_password, legacy_option, signing_key_option
from kitline.cli.sign import print_signed


@click.command(
    "attest",
    short_help="Attach a statement to a kit, signed if a key is given.",
    epilog="Example: kitline attest iris:v1 --type https://example.com/evaluation/v1"
    " --predicate scores.json --key cosign.key",
)
@click.argument("reference", metavar="REF")
@click.option(
    "--type",
    "kind",
    required=True,
    metavar="TYPE",
    help="What is said: a URI, or a short name of cosign (provenance, cyclonedx, spdx, vuln, …).",
)
@click.option(
    "--predicate",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with the JSON object that is said; '-' reads it from stdin.",
)
@signing_key_option(required=False)
@legacy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    reference: str,
    kind: str,
    predicate: str,
    key: str | None,
    legacy: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Attach an in-toto statement about the kit REF; the kit itself does not change.

    With --key it is signed, and 'cosign verify-attestation' accepts it. Without, it is a claim by
    whoever may write to the repository, and no check accepts it. Saying the same again writes
    nothing.
    """
    from kitline.errors import UsageError
    from kitline.operations.sign import attest_signed, attest_unsigned, read_predicate

    if legacy and key is None:
        raise UsageError("--legacy is a form of signed attestations; name a key with --key")
    settings = options.load_settings(
        reference, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    said = read_predicate(_read(predicate), predicate)
    if key is None:
        result = attest_unsigned(reference, kind, said, settings=settings)
    else:
        result = attest_signed(
            reference,
            kind,
            said,
            key=key,
            legacy=legacy,
            settings=settings,
            ask_password=ask_password() if predicate != "-" else None,
        )
    words = f"attested to {reference} as {result.predicate_type}" + (
        f" with {key}" if key else ", unsigned"
    )
    print_signed(result, words, as_json=as_json, quiet=quiet)


def _read(predicate: str) -> bytes:
    from kitline.operations.sign import PREDICATE_LIMIT

    if predicate == "-":
        return sys.stdin.buffer.read(PREDICATE_LIMIT + 1)
    with Path(predicate).open("rb") as file:
        return file.read(PREDICATE_LIMIT + 1)
