"""In a pod the local store would go with it: names without registry are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import UsageError
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.testing import LocalRegistry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    return write_tree(tmp_path / "kit", SMALL_KIT)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        action()
    return str(caught.value)


def test_a_name_without_registry_is_refused_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, isolated_home: Path
) -> None:
    monkeypatch.delenv("KITLINE_HOME")

    said = refused(lambda: kitline.pack(folder, "team/iris:v1"))

    assert said == (
        "'team/iris:v1' names no registry, and the local store would go with this pod; write"
        " 'registry/team/iris:v1', or set KITLINE_HOME to a volume that stays"
    )
    assert not list(isolated_home.rglob("index.json"))


def test_a_copy_without_registry_is_refused_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, local_registry: LocalRegistry
) -> None:
    there = f"{local_registry.host}/team/iris:v1"
    kitline.pack(folder, there)
    monkeypatch.delenv("KITLINE_HOME")

    assert "names no registry" in refused(lambda: kitline.copy(there, "team/iris:v1"))


def test_a_home_that_somebody_chose_is_written_to(folder: Path) -> None:
    assert kitline.pack(folder, "team/iris:v1").digest


def test_a_home_chosen_in_code_is_written_to(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KITLINE_HOME")

    assert kitline.pack(folder, "iris:v1", settings=kitline.Settings(home=tmp_path / "home")).digest


def test_layouts_and_registries_are_no_matter(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local_registry: LocalRegistry,
) -> None:
    monkeypatch.delenv("KITLINE_HOME")

    here = kitline.pack(folder, f"oci:{tmp_path / 'layout'}:v1")
    there = kitline.pack(folder, f"{local_registry.host}/team/iris:v1")

    assert here.digest == there.digest


def test_outside_of_a_pod_the_default_home_is_written_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KITLINE_HOME")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")

    assert kitline.pack(folder, "iris:v1").digest
