"""The exporter keeps what kitline expects of every exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.testing import ExporterContract
from kitline.testing.plugin_contracts import sample_kit
from kitline_mlflow.plugin import kitline_exporters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kitline.plugin import Exporter, Kit
    from kitline.store.memory import MemoryStore

    from conftest import Tracked

KITFILE = """\
manifestVersion: 1.0.0
package: {name: iris}
model: {path: model}
"""


class TestMlflowCopy(ExporterContract):
    @pytest.fixture
    def exporter(self) -> Exporter:
        (exporter,) = kitline_exporters()
        return exporter

    @pytest.fixture
    def kit(self, kit_store: MemoryStore, tmp_path: Path, template: Tracked) -> Kit:
        files = {
            f"model/{path.name}": path.read_bytes()
            for path in template.model_folder.iterdir()
            if path.is_file()
        }
        return sample_kit(kit_store, tmp_path / "packed", {"Kitfile": KITFILE, **files})

    @pytest.fixture
    def target(self) -> str:
        return ""

    @pytest.fixture
    def options(self, tracked: Tracked) -> Mapping[str, str]:
        return {"tracking_uri": tracked.uri, "as": "copy", "experiment": "copies"}
