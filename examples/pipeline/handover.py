"""Hand-overs: what each tool calls a kit; the first digest that differs ends the demo."""

import click

COLOURS = {"data": "cyan", "model": "green", "worse": "yellow"}


class HandOvers:
    """A table with a line for each hand-over. A kit may have many names, and has one digest."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self.tools: dict[str, set[str]] = {}

    def note(self, kit: str, tool: str, calls_it: str, digest: str) -> None:
        """Print a line.

        Raises:
            SystemExit: if the tool has another digest than those before it.
        """
        known = self.digests.setdefault(kit, digest)
        if digest != known:
            raise SystemExit(f"{tool}: {calls_it} is {digest}; those before it said {known}")
        self.tools.setdefault(kit, set()).add(tool)
        shown = click.style(f"sha256:{digest[7:19]}", fg=COLOURS[kit])
        click.echo(f"   {kit:<6} {tool:<9} {calls_it:<44} {shown}")

    def require(self, kit: str, tools: set[str]) -> None:
        """Make sure that none of these tools was left out.

        Raises:
            SystemExit: naming those that never said what they call the kit.
        """
        if missing := tools - self.tools[kit]:
            raise SystemExit(f"nobody asked {', '.join(sorted(missing))} about the {kit} kit")
