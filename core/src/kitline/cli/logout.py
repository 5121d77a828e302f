"""kitline logout: forget stored credentials."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "logout",
    short_help="Forget stored credentials.",
    epilog="Example: kitline logout registry.example",
)
@click.argument("registry")
def command(registry: str) -> None:
    """Remove what docker's configuration holds for REGISTRY."""
    from kitline.operations.accounts import logout

    where = logout(registry)
    if where is None:
        options.say(f"nothing was stored for {registry}")
    else:
        options.say(f"removed the credentials for {registry} from {where}")
