"""What is known of one plugin: where it comes from, its state, and why it does not work."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.plugin.offers import describe_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from kitline.plugin.records import Exporter, Importer

DISABLE = "KITLINE_DISABLE_PLUGINS"
"""Names of plugins or distributions with commas between them, or `all`."""


@dataclass(frozen=True, kw_only=True)
class PluginStatus:
    """One plugin as `kitline plugins` shows it."""

    name: str
    distribution: str
    version: str
    state: str
    """`loaded`, `failed` or `disabled`."""
    problem: str = ""
    """Why it failed and what to try, or which offer collides with another plugin's."""
    importers: tuple[Importer, ...] = ()
    exporters: tuple[Exporter, ...] = ()
    hooks: tuple[str, ...] = ()
    """The hooks that it implements."""

    @property
    def titled(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}".strip() or self.name


def disabled_plugins() -> frozenset[str]:
    """Return what `KITLINE_DISABLE_PLUGINS` names."""
    names = os.environ.get(DISABLE, "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


def read_status(entry: EntryPoint) -> PluginStatus:
    """Return what an entry point says of its plugin, before it is loaded."""
    said = entry.dist.metadata if entry.dist else None  # reads and parses a file each time
    return PluginStatus(
        name=entry.name,
        distribution=said["Name"] if said else "",
        version=said["Version"] if said else "",
        state="loaded",
    )


def describe_failure(status: PluginStatus, error: Exception) -> str:
    """Say which plugin failed, in which versions, why, and what to try."""
    reinstall = f"'pip install --upgrade {status.distribution or status.name}'"
    return (
        f"plugin {status.name!r} ({status.titled}) does not load into kitline {_core_version()}:"
        f" {describe_error(error)}; try {reinstall}, or set {DISABLE}={status.name}"
    )


def _core_version() -> str:
    try:
        return version("kitline")
    except PackageNotFoundError:  # run from a source tree
        return "(version unknown)"


def describe_collision(verb: str, name: str, claiming: Iterable[PluginStatus]) -> str:
    """Say which plugins want the same name, and how to go on."""
    titles = " and ".join(each.titled for each in claiming)
    return f"{titles} both {verb} {name!r}; uninstall one, or name it in {DISABLE}"
