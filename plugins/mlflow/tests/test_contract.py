"""The importer keeps what kitline expects of every importer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.testing import ImporterContract
from kitline_mlflow.plugin import kitline_importers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Importer

    from conftest import Tracked


class TestMlflowImporter(ImporterContract):
    missing_source = f"mlflow://runs/{'0' * 32}"

    @pytest.fixture
    def importer(self) -> Importer:
        (importer,) = kitline_importers()
        return importer

    @pytest.fixture
    def source(self, tracked: Tracked) -> str:
        return f"mlflow://runs/{tracked.run_id}"

    @pytest.fixture
    def options(self, tracked: Tracked) -> Mapping[str, str]:
        return {"tracking_uri": tracked.uri}
