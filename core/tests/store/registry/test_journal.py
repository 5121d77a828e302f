"""Journal entries belong to one process at a time and leave nothing when they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.store.registry.journal import open_entry
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from pathlib import Path


def _source() -> BytesSource:
    source = BytesSource(b"content")
    source.identity = "what/it/is"
    return source


def test_a_source_has_one_entry_at_a_time(tmp_path: Path) -> None:
    first = open_entry(tmp_path, "host/a", _source())
    assert first is not None

    assert open_entry(tmp_path, "host/a", _source()) is None
    other = open_entry(tmp_path, "host/b", _source())
    assert other is not None
    first.close()
    again = open_entry(tmp_path, "host/a", _source())

    assert again is not None
    again.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_noted_is_found_by_who_comes_next(tmp_path: Path) -> None:
    first = open_entry(tmp_path, "host/a", _source())
    assert first is not None
    first.remember("/v2/a/blobs/uploads/1")
    first.close()

    again = open_entry(tmp_path, "host/a", _source())

    assert again is not None
    assert again.location == "/v2/a/blobs/uploads/1"
    again.forget()
    again.close()
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    journal, victim = tmp_path / "journal", tmp_path / "victim"
    first = open_entry(journal, "host/a", _source())
    assert first is not None
    (lock,) = journal.iterdir()
    first.close()
    lock.symlink_to(victim)

    assert open_entry(journal, "host/a", _source()) is None
    assert not victim.exists()


def test_what_has_no_identity_is_not_noted(tmp_path: Path) -> None:
    assert open_entry(tmp_path / "journal", "host/a", BytesSource(b"content")) is None
    assert not (tmp_path / "journal").exists()
