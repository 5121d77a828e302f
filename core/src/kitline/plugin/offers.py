"""Offers: the importers and exporters of one plugin, checked before anything uses them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, PluginError
from kitline.plugin.known_tools import may_claim
from kitline.plugin.records import Collected, Exporter, ExportResult, Importer
from kitline.plugin.redact import without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kitline.plugin.records import ExportContext, ImportContext, Kit

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)


def check_importers(plugin: str, offered: Iterable[object]) -> tuple[Importer, ...]:
    """Return the importers that a plugin offers, each guarded against its own surprises.

    Raises:
        PluginError: if one is no importer or claims a scheme that is not the tool's.
    """
    result = []
    for each in offered:
        if not isinstance(each, Importer):
            raise PluginError(f"kitline_importers returned {each!r}, which is no Importer")
        if not each.schemes:
            raise PluginError(f"importer {each.name!r} reads no scheme")
        for scheme in each.schemes:
            _check_scheme(plugin, each.name, scheme)
        result.append(_guard_importer(plugin, each))
    return tuple(result)


def check_exporters(plugin: str, offered: Iterable[object]) -> tuple[Exporter, ...]:
    """Return the exporters that a plugin offers, guarded likewise."""
    result = []
    for each in offered:
        if not isinstance(each, Exporter):
            raise PluginError(f"kitline_exporters returned {each!r}, which is no Exporter")
        result.append(_guard_exporter(plugin, each))
    return tuple(result)


def describe_error(error: Exception) -> str:
    """Return an error as one line: kitline's own as they are, others with their kind."""
    if isinstance(error, KitlineError):
        return str(error)
    text = without_passwords(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _check_scheme(plugin: str, importer: str, scheme: str) -> None:
    if not SCHEME.fullmatch(scheme):
        raise PluginError(
            f"importer {importer!r} claims {scheme!r}, which is no scheme:"
            " lower-case letters, digits, '+', '-' and '.', beginning with a letter"
        )
    if not may_claim(plugin, scheme):
        raise PluginError(
            f"importer {importer!r} claims the scheme {scheme!r}; a plugin named {plugin!r}"
            f" may claim {plugin!r}, '{plugin}-…', '{plugin}+…' and what the tool itself defines"
        )


def _guard_importer(plugin: str, importer: Importer) -> Importer:
    collect = importer.collect

    def guarded(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        shown = without_passwords(source)
        try:
            found: object = collect(source, options, context)
        except KitlineError:
            raise
        except Exception as cause:
            raise PluginError(
                f"plugin {plugin!r} failed to import {shown!r}: {describe_error(cause)}"
            ) from cause
        if not isinstance(found, Collected):
            raise PluginError(f"plugin {plugin!r} made {type(found).__name__} of {shown!r}")
        return found

    return replace(importer, collect=guarded, expand=_guard_expand(plugin, importer))


def _guard_expand(
    plugin: str, importer: Importer
) -> Callable[[str, Mapping[str, str], ImportContext], Iterable[str]] | None:
    expand = importer.expand
    if expand is None:
        return None

    def guarded(source: str, options: Mapping[str, str], context: ImportContext) -> Iterable[str]:
        try:
            yield from expand(source, options, context)
        except KitlineError:
            raise
        except Exception as cause:
            raise PluginError(
                f"plugin {plugin!r} failed to list {without_passwords(source)!r}:"
                f" {describe_error(cause)}"
            ) from cause

    return guarded


def _guard_exporter(plugin: str, exporter: Exporter) -> Exporter:
    export = exporter.export

    def guarded(
        kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
    ) -> ExportResult:
        try:
            return export(kit, target, options, context)
        except KitlineError:
            raise
        except Exception as cause:
            raise PluginError(
                f"plugin {plugin!r} failed to export '{kit.reference}' to {target!r}:"
                f" {describe_error(cause)}"
            ) from cause

    return replace(exporter, export=guarded)
