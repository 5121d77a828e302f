"""Plugins: finds them, loads each alone, and calls their hooks through typed methods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pluggy

from kitline.errors import PluginError, UsageError
from kitline.plugin import hookspecs
from kitline.plugin.entry_points import find_entry_points
from kitline.plugin.known_tools import find_known_tool
from kitline.plugin.markers import PROJECT
from kitline.plugin.offers import SCHEME, check_exporters, check_importers, describe_error
from kitline.plugin.records import WriteBack
from kitline.plugin.redact import without_passwords
from kitline.plugin.status import (
    DISABLE,
    PluginStatus,
    describe_collision,
    describe_failure,
    disabled_plugins,
    read_status,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from importlib.metadata import EntryPoint
    from typing import Any

    from kitline.plugin.records import Exporter, Importer, PromotedEvent, PushedEvent


class Plugins:
    """The plugins of one environment: `Plugins.load()` finds the installed ones.

    Pass it to what needs plugins; there is no global one.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._found: list[PluginStatus] = []

    @classmethod
    def load(cls, *, disabled: Collection[str] | None = None) -> Plugins:
        """Load every installed plugin but the `disabled` ones (default: what the environment says).

        One that fails is kept as failed with the reason, and does not disturb the others.
        """
        disabled = disabled_plugins() if disabled is None else disabled
        plugins = cls()
        for entry in _sorted(find_entry_points(PROJECT)):
            status = read_status(entry)
            if {"all", status.name, status.distribution} & set(disabled):
                plugins._found.append(replace(status, state="disabled"))
            else:
                plugins._load(entry, status)
        return plugins

    def register(
        self, plugin: object, *, name: str, distribution: str = "", version: str = ""
    ) -> None:
        """Add a module or object that implements hooks.

        Raises:
            PluginError: if its hooks do not fit; nothing of it is kept.
        """
        if any(each.state == "loaded" and each.name == name for each in self._found):
            other = next(each for each in self._found if each.name == name)
            raise PluginError(f"the name {name!r} is taken by {other.titled}")
        try:
            self._pluggy.register(plugin, name=name)
            self._pluggy.check_pending()
            importers = check_importers(name, self._offers("kitline_importers", name))
            exporters = check_exporters(name, self._offers("kitline_exporters", name))
        except pluggy.PluginValidationError as cause:
            self._pluggy.unregister(name=name)
            raise PluginError(" ".join(str(cause).split())) from cause
        except Exception:
            self._pluggy.unregister(name=name)
            raise
        callers = self._pluggy.get_hookcallers(plugin) or []
        self._found.append(
            PluginStatus(
                name=name,
                distribution=distribution,
                version=version,
                state="loaded",
                importers=importers,
                exporters=exporters,
                hooks=tuple(sorted(caller.name for caller in callers)),
            )
        )

    def list(self) -> tuple[PluginStatus, ...]:
        """Return all plugins: loaded, failed and disabled ones, and what collides."""
        return tuple(self._with_collisions(each) for each in self._found)

    def importers(self) -> tuple[Importer, ...]:
        """Return all importers."""
        return tuple(importer for each in self._loaded() for importer in each.importers)

    def exporters(self) -> tuple[Exporter, ...]:
        """Return all exporters."""
        return tuple(exporter for each in self._loaded() for exporter in each.exporters)

    def importer_for(self, source: str) -> Importer:
        """Return the importer that reads `scheme:rest`.

        Raises:
            UsageError: if the source has no scheme.
            PluginError: if no plugin reads it, or more than one claims to.
        """
        scheme = scheme_of(source)
        offers = [
            (each, importer)
            for each in self._loaded()
            for importer in each.importers
            if scheme in importer.schemes
        ]
        if not offers:
            raise PluginError(f"no plugin reads {scheme!r} sources; {self._hint(scheme)}")
        if len(offers) > 1:
            raise PluginError(describe_collision("read", scheme, [each for each, _ in offers]))
        return offers[0][1]

    def exporter(self, name: str) -> Exporter:
        """Return the exporter of that name.

        Raises:
            PluginError: if there is none, or more than one.
        """
        offers = [
            (each, exporter)
            for each in self._loaded()
            for exporter in each.exporters
            if name == exporter.name
        ]
        if not offers:
            raise PluginError(f"no plugin exports to {name!r}; {self._hint(name)}")
        if len(offers) > 1:
            raise PluginError(describe_collision("export to", name, [each for each, _ in offers]))
        return offers[0][1]

    def pushed(self, event: PushedEvent) -> tuple[WriteBack, ...]:
        """Tell every plugin that a kit has landed; a failure becomes a `WriteBack` with warning."""
        return self._tell("kitline_pushed", event)

    def promoted(self, event: PromotedEvent) -> tuple[WriteBack, ...]:
        """Tell every plugin that a stage has moved; failures likewise."""
        return self._tell("kitline_promoted", event)

    def _load(self, entry: EntryPoint, status: PluginStatus) -> None:
        try:
            self.register(
                entry.load(),
                name=status.name,
                distribution=status.distribution,
                version=status.version,
            )
        except Exception as error:
            self._found.append(
                replace(status, state="failed", problem=describe_failure(status, error))
            )

    def _loaded(self) -> Iterable[PluginStatus]:
        return (each for each in self._found if each.state == "loaded")

    def _call(self, hook: str, plugin: str, **arguments: object) -> Sequence[Any]:
        """Call one plugin's implementation only, so that its failure is its own."""
        others = [other for name, other in self._pluggy.list_name_plugin() if name != plugin]
        result: Sequence[Any] = self._pluggy.subset_hook_caller(hook, others)(**arguments)
        return result

    def _offers(self, hook: str, plugin: str) -> Iterable[object]:
        return (record for records in self._call(hook, plugin) for record in records)

    def _tell(self, hook: str, event: PushedEvent | PromotedEvent) -> tuple[WriteBack, ...]:
        told = []
        for each in self._loaded():
            if hook not in each.hooks:
                continue
            try:
                answers = self._call(hook, each.name, event=event)
            except Exception as error:
                told.append(WriteBack(plugin=each.name, warning=describe_error(error)))
                continue
            told.extend(_checked(each.name, hook, answer) for answer in answers)
        return tuple(told)

    def _hint(self, scheme: str) -> str:
        tool = find_known_tool(scheme)
        for each in self._found:
            if tool and tool.name == each.name and each.state == "failed":
                return each.problem
            if tool and tool.name == each.name and each.state == "disabled":
                return f"plugin {each.name!r} is disabled by {DISABLE}"
            if tool and tool.name == each.name:
                return f"{each.titled} is installed and offers no such thing; see 'kitline plugins'"
        if tool:
            return f"install {tool.distribution}"
        known = sorted({scheme for importer in self.importers() for scheme in importer.schemes})
        return f"known are: {', '.join(known) or 'none, as no plugin is installed'}"

    def _with_collisions(self, status: PluginStatus) -> PluginStatus:
        problems = [
            describe_collision("read", scheme, sharing)
            for importer in status.importers
            for scheme in importer.schemes
            if len(sharing := self._claiming(scheme)) > 1
        ]
        return replace(status, problem="; ".join(problems)) if problems else status

    def _claiming(self, scheme: str) -> Sequence[PluginStatus]:
        return [
            each for each in self._loaded() for offer in each.importers if scheme in offer.schemes
        ]


def scheme_of(source: str) -> str:
    """Return the scheme of a source, lower-case."""
    scheme, colon, _ = source.partition(":")
    if not colon or not SCHEME.fullmatch(scheme.lower()):
        raise UsageError(
            f"source {without_passwords(source)!r} names no tool; write 'TOOL:…', such as 'mlflow://runs/ID',"
            " or use 'kitline pack' for a folder"
        )
    return scheme.lower()


def _sorted(entries: Iterable[EntryPoint]) -> list[EntryPoint]:
    return sorted(entries, key=lambda each: (each.name, each.dist.name if each.dist else ""))


def _checked(plugin: str, hook: str, answer: object) -> WriteBack:
    if isinstance(answer, WriteBack):
        return replace(answer, plugin=plugin)
    return WriteBack(
        plugin=plugin, warning=f"{hook} returned {type(answer).__name__}, not a WriteBack"
    )
