"""The importer keeps what kitline expects of every importer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.testing import ImporterContract
from kitline_dvc.plugin import kitline_importers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Importer

    from conftest import DvcRepository


class TestDvcImporter(ImporterContract):
    missing_source = "dvc:data/none@v1"
    secrets = ("hunter2",)

    @pytest.fixture
    def importer(self) -> Importer:
        (importer,) = kitline_importers()
        return importer

    @pytest.fixture
    def source(self, repository: DvcRepository) -> str:
        repository.git("remote", "add", "origin", "https://me:hunter2@git.example.org/data.git")
        return "dvc:data/train@v1"

    @pytest.fixture
    def options(self, repository: DvcRepository) -> Mapping[str, str]:
        return {"repo": str(repository.root)}
