"""kitline keygen: a pair of keys to sign and verify with."""

from __future__ import annotations

from pathlib import Path

import click

from kitline.cli import options
from kitline.cli.keys import ask_new_password


@click.command(
    "keygen",
    short_help="Make a pair of keys to sign and verify with, as cosign does.",
    epilog="Example: kitline keygen && kitline sign iris:v1 --key kitline.key",
)
@click.argument("prefix", default="kitline")
@options.json_option
def command(prefix: str, as_json: bool) -> None:
    """Write PREFIX.key (encrypted, for you alone) and PREFIX.pub (to hand out); takes PyNaCl.

    The password is taken from KITLINE_KEY_PASSWORD or COSIGN_PASSWORD, else asked for; an empty one
    is allowed. Files that exist are never overwritten.
    """
    from kitline.trust.key_pair import make_key_pair
    from kitline.trust.key_source import find_password

    path = Path(prefix)
    ask = ask_new_password()
    pair = make_key_pair(path.parent, path.name, lambda name: find_password(name, ask))
    if as_json:
        found = {"private": str(pair.private), "public": str(pair.public), "hint": pair.hint}
        options.print_json(found)
        return
    options.say(f"keep {pair.private} to yourself; whoever has {pair.public} can verify")
    click.echo(str(pair.public))
