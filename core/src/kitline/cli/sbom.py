"""kitline sbom: what is in a kit, for scanners and auditors."""

from __future__ import annotations

from pathlib import Path

import click

from kitline.cli import options
from kitline.cli.keys import ask_password, signing_key_option


@click.command(
    "sbom",
    short_help="Attach a bill of materials (CycloneDX) to a kit.",
    epilog="Example: kitline sbom registry.example/team/iris:v1 -o bom.json",
)
@click.argument("reference", metavar="REF")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also write it to a file.",
)
@click.option("--no-attach", is_flag=True, help="Attach nothing to the kit.")
@signing_key_option(required=False)
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    reference: str,
    output: str | None,
    no_attach: bool,
    key: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the bill of materials of the kit REF in CycloneDX 1.6, and attach it as a referrer.

    It lists the model with its parameters, datasets, files, licences and hashes, the kits it was
    made from, and what requirements.txt of its model asks for. The same kit always has the same
    one. With --key it is signed too, as an attestation of type 'cyclonedx'.
    """
    from kitline.errors import UsageError
    from kitline.operations.sbom.sbom import sbom

    if no_attach and key is not None:
        raise UsageError("--key attaches a signed form; leave --no-attach away")
    settings = options.load_settings(
        reference, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    with options.progress_shown(quiet=quiet) as progress:
        result = sbom(
            reference,
            attach=not no_attach,
            key=key,
            settings=settings,
            ask_password=ask_password(),
            progress=progress,
        )
    if output is not None:
        Path(output).write_bytes(result.content)
    for warning in result.warnings:
        options.warn(warning)
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        count = options.count(len(result.document["components"]), "component")
        how = "not attached" if result.referrer is None else f"referrer {result.referrer}"
        there = "; it was there already" if result.referrer and not result.written else ""
        options.say(f"bill of materials of {reference} ({count}; {how}{there})")
    click.echo(str(result.reference))
