"""Importers and exporters ask whether they are to stop, and leave nothing where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import Cancelled
from kitline.plugin import (
    Collected,
    Exporter,
    ExportResult,
    ImportContext,
    Importer,
    Plugins,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kitline.plugin import Kit


class Slow:
    """A tool that asks between two long steps, as plugins should."""

    @hookimpl
    def kitline_importers(self) -> list[Importer]:
        return [Importer(name="slow", schemes=("slow",), summary="Slow.", collect=self.collect)]

    @hookimpl
    def kitline_exporters(self) -> list[Exporter]:
        return [Exporter(name="slow", summary="Slow.", export=self.export)]

    def collect(self, source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        if context.cancelled():
            raise Cancelled("the import was stopped")
        raise AssertionError("nobody said that it is to stop")

    def export(
        self, kit: Kit, target: str, options: Mapping[str, str], context: ImportContext
    ) -> ExportResult:
        if context.cancelled():
            raise Cancelled("the export was stopped")
        return ExportResult(target="done", existed=False)


@pytest.fixture
def plugins() -> Plugins:
    found = Plugins()
    found.register(Slow(), name="slow")
    return found


def test_an_import_that_is_cancelled_stops_and_names_nothing(plugins: Plugins) -> None:
    with pytest.raises(Cancelled, match="the import was stopped"):
        kitline.import_("slow:1", "note:v1", plugins=plugins, cancelled=lambda: True)

    assert kitline.resolve("note:v1") is None


def test_an_export_that_is_cancelled_stops(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    kit = kitline.pack(tmp_path, "note:v1")

    with pytest.raises(Cancelled, match="the export was stopped"):
        kitline.export(kit.reference, "slow", plugins=plugins, cancelled=lambda: True)

    assert kitline.export(kit.reference, "slow", plugins=plugins).target == "done"
