"""kitline find: from any tool's id to the kits."""

from __future__ import annotations

import click

from kitline.cli import options
from kitline.errors import NotFound


@click.command(
    "find",
    short_help="From a run, a commit, an md5 or a digest to the kits.",
    epilog="Example: kitline find mlflow-run 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
)
@click.argument("kind", type=click.Choice(["digest", "mlflow-run", "git-commit", "dvc-md5"]))
@click.argument("value")
@options.quiet_option
@options.json_option
def command(kind: str, value: str, quiet: bool, as_json: bool) -> None:
    """Print the pinned reference of each kit that KIND VALUE is about.

    Looks at the local store, at what was written from here, and at what 'kitline lineage index'
    has read of registries. Exit code 1 if there is none.
    """
    from kitline.lineage.text import describe
    from kitline.operations.lineage.find import find

    found = find(kind, value, settings=options.load_settings())
    if as_json:
        options.print_json({"kits": [each.to_json() for each in found]})
    if not found:
        raise NotFound(
            f"no kit is known by {kind} {value!r}; 'kitline lineage index REPOSITORY' reads more"
        )
    for each in () if as_json else found:
        if not quiet:
            options.say(describe(each))
        for place in each.places or ("",):
            click.echo(f"{place}@{each.digest}" if place else str(each.digest))
