"""DVC's inside has one package, and one guard stands before it."""

from __future__ import annotations

import ast
from pathlib import Path

import kitline_dvc
import pytest
from kitline.errors import PluginError

SOURCES = Path(kitline_dvc.__file__).parent
TOOLS = {"dvc", "dvc_data", "dvc_objects", "scmrepo", "gto"}


def imported(path: Path) -> set[str]:
    """Return the top packages that a module imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_the_package_inside_imports_dvc() -> None:
    users = {path.relative_to(SOURCES) for path in SOURCES.rglob("*.py") if imported(path) & TOOLS}
    assert users
    assert {path.parts[0] for path in users} == {"inside"}


@pytest.mark.parametrize("version", ["3.59.2", "4.0.0", "2.58.2"])
def test_another_dvc_is_refused_before_anything_of_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    import dvc
    from kitline_dvc.inside.clones import clone
    from kitline_dvc.inside.git import open_scm
    from kitline_dvc.inside.remotes import open_remote_at
    from kitline_dvc.inside.workspace import Workspace

    monkeypatch.setattr(dvc, "__version__", version)
    for use in (
        lambda: open_scm(tmp_path),
        lambda: clone(f"file://{tmp_path}", None),
        lambda: open_remote_at("s3://bucket"),
        lambda: Workspace(tmp_path).__enter__(),
    ):
        with pytest.raises(PluginError, match=rf"reads the inside of DVC 3\.60 .* found {version}"):
            use()
