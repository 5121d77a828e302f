"""The extension points. A plugin implements any of them with `@hookimpl`.

An implementation may take fewer arguments than are offered. `docs/plugins/hooks.md` explains each
one; its tests are in `core/tests/plugin/test_hookspecs.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.plugin.records import Exporter, Importer, PromotedEvent, PushedEvent, WriteBack


@hookspec
def kitline_importers() -> Iterable[Importer]:  # type: ignore[empty-body] # a specification
    """Offer importers. Asked once, on first use: import no tool here."""


@hookspec
def kitline_exporters() -> Iterable[Exporter]:  # type: ignore[empty-body] # a specification
    """Offer exporters. Asked once, on first use: import no tool here."""


@hookspec
def kitline_pushed(event: PushedEvent) -> WriteBack | None:
    """Tell the tool that a kit has landed; None if it is not this plugin's business.

    Raising is allowed: the push stands, and the user reads the reason.
    """


@hookspec
def kitline_promoted(event: PromotedEvent) -> WriteBack | None:
    """Tell the tool that a stage now points at a digest; None if it is not its business."""
