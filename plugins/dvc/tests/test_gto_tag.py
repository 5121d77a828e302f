"""Promotions as tags of GTO in the git repository of the data, when the environment asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.plugin import PromotedEvent
from kitline_dvc.plugin import kitline_promoted

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import DvcRepository

ARTIFACTS = b"artifacts:\n  train: {path: data/train}\n  labels: {path: data/labels.csv}\n"


@pytest.fixture(name="kits")
def _kits(repository: DvcRepository, tmp_path: Path) -> list[str]:
    """Import the labels at two commits; the data of train is the same at both."""
    repository.write("dvc.yaml", ARTIFACTS)
    repository.commit("artifacts", "a1")
    repository.write("data/labels.csv", b"other\n")
    repository.add("data/labels.csv")
    repository.commit("labels", "a2")
    return [
        str(
            kitline.import_(
                f"dvc:data/labels.csv@{rev}", "team/labels", options={"repo": str(repository.root)}
            ).reference
        )
        for rev in ("a1", "a2")
    ]


def tags(repository: DvcRepository) -> list[str]:
    return sorted(repository.git("tag", "-l", "*[@#]*").split())


def test_promotions_become_tags_of_gto_at_the_commit_of_the_data(
    repository: DvcRepository, kits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_DVC_GTO", str(repository.root))
    first = kitline.promote(kits[0], "production")
    (written,) = first.write_backs
    assert (written.plugin, written.warning) == ("dvc", None)
    assert "labels#production#1" in written.target
    assert tags(repository) == ["labels#production#1", "labels@v0.0.1"]
    assert repository.git("rev-parse", "labels#production#1^{commit}") == repository.git(
        "rev-parse", "a1"
    )

    kitline.promote(kits[1], "production")
    kitline.rollback("team/labels", "production")
    latest = repository.git("rev-parse", "labels#production#3^{commit}")
    assert latest == repository.git("rev-parse", "a1")
    kitline.promote(kits[0], "production")
    assert [each for each in tags(repository) if "#" in each] == [
        f"labels#production#{number}" for number in (1, 2, 3)
    ]


def test_no_tag_is_written_unless_asked(repository: DvcRepository, kits: list[str]) -> None:
    kitline.promote(kits[0], "production")
    assert tags(repository) == []


def test_a_promotion_stands_where_no_commit_has_the_data(
    repository: DvcRepository,
    kits: list[str],
    monkeypatch: pytest.MonkeyPatch,
    template: DvcRepository,
) -> None:
    monkeypatch.setenv("KITLINE_DVC_GTO", str(template.root))
    found = kitline.promote(kits[0], "production")
    (written,) = found.write_backs
    assert written.warning is not None
    assert "no commit that the provenance of team/labels@sha256:" in written.warning


def test_a_kit_that_is_not_from_dvc_is_nobody_s_business_here(
    repository: DvcRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/model.txt").write_text("1")
    (tmp_path / "kit/Kitfile").write_text(
        "manifestVersion: 1.0.0\nmodel: {name: m, path: model.txt}\n"
    )
    monkeypatch.setenv("KITLINE_DVC_GTO", str(repository.root))
    reference = kitline.pack(tmp_path / "kit", "team/m:v1").reference
    assert kitline_promoted(PromotedEvent(reference=reference, stage="production")) is None
