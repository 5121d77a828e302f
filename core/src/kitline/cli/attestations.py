"""kitline attestations: what is said of a kit, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import verifying_key_option

if TYPE_CHECKING:
    from kitline.operations.verify import Attestations


@click.command(
    "attestations",
    short_help="What is said of a kit: signatures, attestations, statements.",
    epilog="Example: kitline attestations iris:v1 --key cosign.pub --json",
)
@click.argument("reference", metavar="REF")
@click.option("--type", "kind", metavar="TYPE", help="Only this type, a URI or a short name.")
@verifying_key_option()
@options.with_options(*options.connection_options)
@options.json_option
def command(
    reference: str,
    kind: str | None,
    key: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """List what is said of the kit REF; with --key only what its owner signed.

    Without --key no signature is checked: whoever may write to the repository may have written it.
    """
    from kitline.operations.verify import list_attestations

    settings = options.load_settings(
        reference, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = list_attestations(reference, kind, key=key, settings=settings)
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
        return
    if not result.signed and not result.unsigned:
        options.say(f"nothing is said of {reference}")
    else:
        _show(result)
    click.echo(str(result.reference))


def _show(result: Attestations) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("type", overflow="fold"), "form", "signed", "digest",
        box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    for each in result.signed:
        signed = f"by {each.signed_by}" if each.signed_by else "not checked"
        kind = options.printable(each.predicate_type)
        table.add_row(Text(kind), each.form, Text(signed), each.digest.hex[:12])
    for statement in result.unsigned:
        kind = options.printable(statement.predicate_type)
        table.add_row(Text(kind), "statement", "no", statement.digest.hex[:12])
    options.console(err=True).print(table)
