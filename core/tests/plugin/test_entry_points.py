"""Entry points are those that the standard library finds."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from kitline.plugin.entry_points import find_entry_points

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _install(folder: Path, name: str, version: str, offered: str) -> None:
    home = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    home.mkdir(parents=True)
    (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (home / "entry_points.txt").write_text(offered)


def _shown(found: object) -> list[tuple[str, str, str]]:
    return sorted((each.name, each.value, each.dist.version) for each in found)  # type: ignore[attr-defined]


def test_every_group_of_this_environment_is_found_as_the_standard_library_does() -> None:
    for group in ("kitline", "console_scripts", "mlflow.artifact_repository", "no.such.group"):
        assert _shown(find_entry_points(group)) == _shown(entry_points(group=group)), group
    assert find_entry_points("console_scripts")


def test_the_first_of_two_versions_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(tmp_path / "first", "Some-Plugin", "2.0", "[a.group]\nmine = new:plugin\n")
    _install(tmp_path / "second", "some_plugin", "1.0", "[a.group]\nmine = old:plugin\n")
    _install(tmp_path / "second", "other", "1.0", "[another]\nx = a.group:y\n")
    monkeypatch.syspath_prepend(tmp_path / "second")
    monkeypatch.syspath_prepend(tmp_path / "first")

    assert _shown(find_entry_points("a.group")) == [("mine", "new:plugin", "2.0")]
