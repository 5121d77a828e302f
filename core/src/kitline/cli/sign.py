"""kitline sign: vouch for a kit with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import ask_password, legacy_option, signing_key_option

if TYPE_CHECKING:
    from kitline.operations.sign import SignResult


@click.command(
    "sign",
    short_help="Sign a kit with a private key, as cosign does.",
    epilog="Example: kitline sign registry.example/team/iris:v1 --key cosign.key",
)
@click.argument("reference", metavar="REF")
@signing_key_option(required=True)
@legacy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    reference: str,
    key: str,
    legacy: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Sign the kit REF; 'kitline verify' and 'cosign verify' accept it with the public key.

    A tag is resolved once and the digest is signed. Signing again with the same key writes nothing.
    The password of an encrypted key is taken from KITLINE_KEY_PASSWORD or COSIGN_PASSWORD, else
    asked for.
    """
    from kitline.operations.sign import sign

    settings = options.load_settings(
        reference, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    result = sign(reference, key=key, legacy=legacy, settings=settings, ask_password=ask_password())
    print_signed(result, f"signed {reference} with {key}", as_json=as_json, quiet=quiet)


def print_signed(result: SignResult, words: str, *, as_json: bool, quiet: bool) -> None:
    """Print what was attached; the kit's pinned reference is the last line of stdout."""
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        how = f"referrer {result.signature}" if result.written else "it was there already"
        options.say(f"{words} ({how})")
    click.echo(str(result.reference))
