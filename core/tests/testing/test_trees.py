from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.testing.trees import (
    NESTED_KIT,
    SMALL_KIT,
    UNICODE_KIT,
    File,
    Folder,
    Link,
    read_tree,
    write_tree,
)

if TYPE_CHECKING:
    from pathlib import Path

import pytest


def test_a_tree_is_written_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        root = write_tree(
            tmp_path / "t",
            {
                "a/b/c.txt": "text",
                "run.sh": File(content=b"#!", mode=0o755, mtime=1_000_000_000),
                "empty": Folder(mode=0o700),
                "link": Link(target="run.sh"),
            },
        )
    finally:
        os.umask(umask)
    modes = {each.name: each.lstat().st_mode & 0o777 for each in root.rglob("*")}
    del modes["link"]
    assert modes == {"a": 0o755, "b": 0o755, "c.txt": 0o644, "run.sh": 0o755, "empty": 0o700}
    assert (root / "run.sh").stat().st_mtime == 1_000_000_000


def test_a_tree_is_read_back(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "t", {"a/b": b"\x00", "l": Link(target="a/b")})
    assert read_tree(root) == {"a": None, "a/b": b"\x00", "l": b"link:a/b"}


@pytest.mark.parametrize("tree", [SMALL_KIT, NESTED_KIT, UNICODE_KIT])
def test_each_sample_kit_has_a_kitfile(
    tmp_path: Path, tree: dict[str, str | bytes | File | Folder | Link]
) -> None:
    root = write_tree(tmp_path / "kit", tree)
    files = {name: content for name, content in read_tree(root).items() if content is not None}
    assert sorted(files) == sorted(tree)
    assert b"manifestVersion" in files["Kitfile"]
