"""kitline config: every setting, its value and where it comes from."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "config",
    short_help="Every setting, its value and where it comes from.",
    epilog="Example: KITLINE_REGISTRY=registry.example/team kitline config",
)
@options.json_option
def command(as_json: bool) -> None:
    """Show the settings.

    They come, in rising order, from /etc/kitline/config.toml, the user's config.toml,
    kitline.toml in this folder or above, KITLINE_… variables and options.
    """
    settings = options.load_settings()
    rows = settings.describe()
    for row in rows:
        value = row["value"]
        if isinstance(value, tuple):
            row["value"] = list(value)
        elif value is not None and not isinstance(value, str | int | bool):
            row["value"] = str(value)
    if as_json:
        options.print_json({"settings": rows})
        return
    for row in rows:
        value = "–" if row["value"] in (None, []) else row["value"]
        click.echo(f"{row['name']} = {value}   ({row['origin']})")
        click.echo(click.style(f"    {row['summary']}; {row['variable']}", dim=True))
