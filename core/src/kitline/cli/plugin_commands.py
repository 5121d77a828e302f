"""Commands that plugins add: entry points of the group `kitline.commands`, loaded when used.

Their names come from the metadata of what is installed, so that listing them imports nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from kitline.errors import KitlineError, PluginError
from kitline.frozen import dataclass
from kitline.plugin.entry_points import find_entry_points
from kitline.plugin.known_tools import find_known_tool
from kitline.plugin.status import (
    PluginStatus,
    describe_collision,
    describe_failure,
    disabled_plugins,
    read_status,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from importlib.metadata import EntryPoint

GROUP = "kitline.commands"
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class PluginCommand:
    """A command by its name, and who offers it; more than one distribution is a collision."""

    name: str
    entries: tuple[EntryPoint, ...]
    problem: str = ""
    """Why it cannot be used, as far as its name tells."""

    @property
    def sources(self) -> tuple[PluginStatus, ...]:
        """What is known of the distributions that offer it."""
        return tuple(read_status(each) for each in self.entries)

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            PluginError: naming the distribution, if it does not load or two offer the name.
        """
        if self.problem:
            raise PluginError(self.problem)
        entry, status = self.entries[0], self.sources[0]
        try:
            found = entry.load()
        except Exception as cause:
            raise PluginError(describe_failure(status, cause)) from cause
        if not isinstance(found, click.Command):
            raise PluginError(
                f"{status.titled} offers the command {self.name!r}, but {entry.value!r} is"
                f" {type(found).__name__}, not a click command"
            )
        return found


def find_commands(
    verbs: Collection[str], *, disabled: Collection[str] | None = None
) -> Mapping[str, PluginCommand]:
    """Return the commands of installed plugins by name; `verbs` are taken by kitline itself."""
    disabled = _disabled() if disabled is None else disabled
    offered: dict[str, list[EntryPoint]] = {}
    for entry in sorted(find_entry_points(GROUP), key=lambda each: each.name):
        status = read_status(entry)
        if not {"all", status.name, status.distribution} & set(disabled):
            offered.setdefault(entry.name, []).append(entry)
    return {name: _checked(name, entries, verbs) for name, entries in offered.items()}


def hint_for(word: str, names: Collection[str]) -> str:
    """Say what was probably meant by a word that is no command."""
    tool = find_known_tool(word)
    if tool and tool.name == word:
        return f"what kitline does for {word} comes with {tool.distribution}; see 'kitline plugins'"
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else "'kitline --help' lists them"


def _checked(name: str, entries: list[EntryPoint], verbs: Collection[str]) -> PluginCommand:
    command = PluginCommand(name=name, entries=tuple(entries))
    titled = " and ".join(each.titled for each in command.sources)
    if name in verbs:
        problem = f"{titled} offers the command {name!r}, which is a verb of kitline"
    elif not _NAME.fullmatch(name):
        problem = f"{titled} offers the command {name!r}: lower-case letters, digits and '-' only"
    elif len(entries) > 1:
        problem = describe_collision("offer the command", name, command.sources)
    else:
        return command
    return replace(command, problem=problem)


def _disabled() -> Collection[str]:
    from kitline.operations.settings import Settings

    try:
        return Settings.load().disable_plugins
    except KitlineError:
        return disabled_plugins()  # what is wrong with the settings is said by what needs them
