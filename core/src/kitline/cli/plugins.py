"""kitline plugins: what is installed, and what failed to load."""

from __future__ import annotations

import click

from kitline.cli import options


@click.command(
    "plugins",
    short_help="What is installed, what it offers, what failed to load.",
    epilog="Example: kitline plugins --json",
)
@options.json_option
def command(as_json: bool) -> None:
    """List plugins with their importers and exporters."""
    from kitline.cli.main import VERBS
    from kitline.cli.plugin_commands import find_commands
    from kitline.plugin.manager import Plugins

    settings = options.load_settings()
    found = Plugins.load(disabled=settings.disable_plugins).list()
    commands = find_commands(VERBS, disabled=settings.disable_plugins).values()
    if as_json:
        rows = [
            {
                "name": each.name,
                "distribution": each.distribution,
                "version": each.version,
                "state": each.state,
                "problem": each.problem,
                "importers": {i.name: list(i.schemes) for i in each.importers},
                "exporters": [e.name for e in each.exporters],
                "hooks": list(each.hooks),
            }
            for each in found
        ]
        added = [
            {
                "name": each.name,
                "distributions": [source.distribution for source in each.sources],
                "problem": each.problem,
            }
            for each in commands
        ]
        options.print_json({"plugins": rows, "commands": added})
        return
    if not found:
        options.say("no plugin is installed; try 'pip install kitline-mlflow'")
    for each in found:
        click.echo(f"{each.name} ({each.distribution} {each.version}): {each.state}")
        for importer in each.importers:
            schemes = ", ".join(f"{scheme}:" for scheme in importer.schemes)
            click.echo(f"  imports {schemes} {importer.summary}")
        for exporter in each.exporters:
            click.echo(f"  exports {exporter.name}: {exporter.summary}")
        if each.problem:
            click.echo(f"  {each.problem}")
    for added_command in commands:
        by = ", ".join(source.titled for source in added_command.sources)
        click.echo(f"command 'kitline {added_command.name}' ({by})")
        if added_command.problem:
            click.echo(f"  {added_command.problem}")
