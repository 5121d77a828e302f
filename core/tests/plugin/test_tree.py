"""Files that an importer names become a tree in the order that kits have."""

from __future__ import annotations

from kitline.kit.kitfile import Docs, Kitfile
from kitline.plugin import FileTree, bytes_entry


def test_folders_and_order_follow_from_the_files() -> None:
    files = [bytes_entry(path, b"x") for path in ("docs/b/c", "docs/b-a", "docs/é", "docs/A")]
    tree = FileTree(kitfile=Kitfile(docs=(Docs(path="docs"),)), files=files)
    assert [(each.path, each.is_folder, each.mode) for each in tree.entries()] == [
        ("docs", True, 0o755),
        ("docs/A", False, 0o644),
        ("docs/b", True, 0o755),
        ("docs/b/c", False, 0o644),
        ("docs/b-a", False, 0o644),
        ("docs/é", False, 0o644),
    ]


def test_bytes_at_hand_are_read_from_any_offset() -> None:
    entry = bytes_entry("a", b"hello")
    buffer = bytearray(9)
    assert entry.size == 5
    assert entry.open
    with entry.open(2) as stream:
        assert stream.readinto(memoryview(buffer)) == 3
    assert buffer[:3] == b"llo"
