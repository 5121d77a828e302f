"""kitline login: store credentials where docker looks for them."""

from __future__ import annotations

import sys

import click

from kitline.cli import options
from kitline.errors import UsageError


@click.command(
    "login",
    short_help="Check and store credentials, in docker's configuration.",
    epilog="Example: kitline login registry.example -u me --password-stdin < token",
)
@click.argument("registry")
@click.option("-u", "--username", help="Asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@options.with_options(*options.connection_options)
def command(
    registry: str,
    username: str | None,
    password_stdin: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
) -> None:
    """Log in to REGISTRY; a credential helper is used where docker has one configured.

    There is no option for the password itself: other users could read it in the process list.
    """
    from kitline.operations.accounts import login

    settings = options.load_settings(
        registry, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    if password_stdin:
        password = sys.stdin.read().rstrip("\r\n")
    elif sys.stdin.isatty():
        username = username or click.prompt("Username", err=True)
        password = click.prompt("Password or token", hide_input=True, err=True)
    else:
        raise UsageError("no terminal to ask for the password; use --password-stdin")
    if not username:
        raise UsageError("no user name; give one with --username")
    if not password:
        raise UsageError("no password; standard input holds nothing")
    where = login(registry, username, password, settings=settings)
    options.say(f"logged in to {registry} as {username}; stored in {where}")
