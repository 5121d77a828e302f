"""kitline doctor: what works against a registry, and why not."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "doctor",
    short_help="What works against a registry, and why not.",
    epilog="Example: kitline doctor registry.example/team/iris",
)
@click.argument("target", metavar="REGISTRY[/REPOSITORY]", required=False)
@options.with_options(*options.connection_options)
@options.json_option
def command(
    target: str | None, plain_http: bool, insecure: bool, ca_file: str | None, as_json: bool
) -> None:
    """Check the local store, and a registry if one is named.

    No secret is shown and nothing is left behind.
    """
    from kitline.operations.doctor import doctor

    settings = options.load_settings(
        target, plain_http=plain_http, insecure=insecure, ca_file=ca_file
    )
    checks = doctor(target, settings=settings)
    if as_json:
        options.print_json({"checks": [each.to_json() for each in checks]})
    else:
        width = max(len(each.name) for each in checks)
        marks = {"ok": ("ok  ", "green"), "note": ("note", "yellow"), "bad": ("BAD ", "red")}
        for each in checks:
            mark, colour = marks[each.state]
            line = f"{each.name:<{width}}  {options.printable(each.finding)}"
            click.echo(f"{click.style(mark, fg=colour)}  {line}")
    if any(each.state == "bad" for each in checks):
        raise click.exceptions.Exit(1)
