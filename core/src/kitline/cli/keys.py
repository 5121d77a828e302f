"""What the verbs that take keys share: options, and asking for a password."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

legacy_option = click.option(
    "--legacy", is_flag=True, help="Also write the '.sig' or '.att' tag that older tools read."
)


def signing_key_option(*, required: bool) -> Callable[[Any], Any]:
    """Return the option that names a private key."""
    return click.option(
        "--key",
        required=required,
        metavar="KEY",
        help="Private key: a file as cosign or openssl writes it, env://VARIABLE, or a KMS URI"
        " (awskms://, gcpkms://, azurekms://, hashivault://).",
    )


def verifying_key_option() -> Callable[[Any], Any]:
    """Return the option that names a public key."""
    return click.option(
        "--key",
        metavar="KEY",
        help="Public key: a PEM file such as cosign.pub, env://VARIABLE, or a KMS URI.",
    )


def ask_password() -> Callable[[str], str] | None:
    """Return how to ask a person for a password; None where nobody sits at a terminal."""
    return _ask(confirm=False)


def ask_new_password() -> Callable[[str], str] | None:
    """Return how to ask a person twice; None where nobody sits at a terminal."""
    return _ask(confirm=True)


def _ask(*, confirm: bool) -> Callable[[str], str] | None:
    if sys.stdin is None or not sys.stdin.isatty():
        return None

    def ask(prompt: str) -> str:
        found: str = click.prompt(
            prompt,
            hide_input=True,
            default="",
            show_default=False,
            confirmation_prompt=confirm,
            err=True,
        )
        return found

    return ask
