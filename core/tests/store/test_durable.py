"""Durable writing: what is under the final name is whole, however it was cut into views."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.store.durable import (
    FileWriter,
    fsync_folder,
    make_folders,
    replace_durably,
    sync_filesystem,
    write_durably,
    write_whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RING = memoryview(mmap.mmap(-1, 1 << 16))
RING[:] = os.urandom(1 << 16)


def write(path: Path, views: Sequence[memoryview], *, direct: bool | None, offset: int = 0) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        writer = FileWriter(fd, direct=direct, offset=offset)
        for view in views:
            writer.write(view)
        writer.finish()
        os.fsync(fd)
    finally:
        os.close(fd)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 64), st.integers(0, 5000)), max_size=6),
    st.booleans(),
)
def test_every_cut_into_views_gives_the_same_file(
    cuts: list[tuple[int, int]], direct: bool
) -> None:
    views = [RING[512 * start : 512 * start + length] for start, length in cuts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path, views, direct=direct)
        assert path.read_bytes() == b"".join(views)


def test_slices_at_any_multiple_of_512_are_written_past_the_page_cache(tmp_path: Path) -> None:
    views = [RING[512:5120], RING[5120:6656], RING[1024:1536]]
    write(tmp_path / "file", views, direct=True)
    assert (tmp_path / "file").read_bytes() == b"".join(views)


def test_memory_that_is_not_aligned_is_written_all_the_same(tmp_path: Path) -> None:
    views = [RING[1:1025], RING[3:4099]]
    write(tmp_path / "file", views, direct=True)
    assert (tmp_path / "file").read_bytes() == b"".join(views)


def test_a_disk_that_refuses_the_alignment_gets_buffered_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    refused: list[int] = []

    def refuse_once(fd: int, view: memoryview, offset: int) -> int:
        if not refused:
            refused.append(offset)
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(fd, view, offset)

    monkeypatch.setattr(os, "pwrite", refuse_once)
    write(tmp_path / "file", [RING[:4096], RING[4096:8192]], direct=True)
    assert (tmp_path / "file").read_bytes() == RING[:8192]
    assert refused == [0]


@pytest.mark.parametrize("start", [0, 512, 1, 3])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4095, 4096, 4097, 50_000])
def test_a_small_file_is_written_whole_wherever_its_memory_begins(
    tmp_path: Path, size: int, start: int
) -> None:
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    write_whole(fd, RING[start : start + size])
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == RING[start : start + size]


def test_small_and_unknown_sizes_go_through_the_page_cache(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    assert not FileWriter(fd, size=1 << 20).is_direct
    assert not FileWriter(fd, size=None).is_direct
    os.close(fd)


def test_writing_goes_on_at_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, [RING[:1024]], direct=False)
    write(path, [RING[1024:4000]], direct=True, offset=1024)
    assert path.read_bytes() == RING[:4000]


def test_finish_cuts_what_an_earlier_longer_attempt_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10000)
    write(path, [RING[:700]], direct=False)
    assert path.read_bytes() == RING[:700]


def test_a_file_system_is_synced_by_any_descriptor_in_it(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    sync_filesystem(fd)
    os.close(fd)
    with pytest.raises(OSError, match="syncfs failed: Bad file descriptor"):
        sync_filesystem(fd)


def test_replacing_leaves_no_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "final").write_text("old")
    replace_durably(tmp_path / "new", tmp_path / "final")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("final", "new")]


def test_a_failed_small_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    with pytest.raises(OSError, match="final"):
        write_durably(tmp_path / "final", b"data", temporary=tmp_path / "temporary")
    assert [each.name for each in tmp_path.iterdir()] == ["final"]


def test_folders_are_made_with_their_parents_and_again(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    fsync_folder(tmp_path / "a")
