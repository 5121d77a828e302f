"""Files of a layer that lie whole in one buffer are written side by side, by threads."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import resource
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import DigestMismatch, TargetError, UnsafeLayer
from kitline.kit.extract import extract_tar
from kitline.kit.file_pool import POOLED_FROM, FilePool
from kitline.kit.staging import Staging
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = (0, 1, 511, 512, 513, 4096, POOLED_FROM - 1, POOLED_FROM, POOLED_FROM + 1, 100_000, 102_400)
FILES = {f"d/{round}-{size}": os.urandom(size) for round in range(25) for size in SIZES}
"""8 MiB: three buffers of the ring, some files split over two of them."""


def make_tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def unpack(data: bytes, target: Path, promised: bytes | None = None) -> None:
    digest = Digest.of(data if promised is None else promised)
    layer = Descriptor(media_type="application/x-tar", digest=digest, size=len(data))
    with Staging(target) as staging:
        extract_tar(io.BytesIO(data), staging, layer)
        staging.commit()


def tree_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def no_thread_and_no_handle_is_left() -> Iterator[None]:
    threads, handles = threading.active_count(), len(os.listdir("/dev/fd"))
    yield
    assert threading.active_count() == threads
    assert len(os.listdir("/dev/fd")) == handles


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_of_all_sizes_come_out_as_they_went_in(tmp_path: Path) -> None:
    unpack(make_tar(FILES), tmp_path / "t")
    assert tree_of(tmp_path / "t") == FILES


def test_a_file_system_without_direct_writing_gets_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def refuse(fd: int, command: int, *value: Any) -> Any:
        if command == fcntl.F_SETFL and value[0] & getattr(os, "O_DIRECT", 0):
            raise OSError(errno.EINVAL, "no O_DIRECT here")
        return real(fd, command, *value)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    unpack(make_tar(FILES), tmp_path / "t")
    assert tree_of(tmp_path / "t") == FILES


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    data = make_tar({**FILES, "last": bytes(200_000)})
    with (
        files_of_at_most(150_000),
        pytest.raises(TargetError, match=r"^cannot write 'last': .*; nothing was kept$"),
    ):
        unpack(data, tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_the_first_of_many_failing_writes_is_told(tmp_path: Path) -> None:
    with (
        files_of_at_most(POOLED_FROM // 2),
        pytest.raises(TargetError, match=r"^cannot write 'd/"),
    ):
        unpack(make_tar(FILES), tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_what_is_refused_behind_files_being_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnsafeLayer, match=r"refused the entry '\.\./x'"):
        unpack(make_tar({**FILES, "../x": b""}), tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_other_bytes_than_promised_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch):
        unpack(make_tar(FILES), tmp_path / "t", promised=b"others")
    assert not list(tmp_path.iterdir())


def test_waiting_returns_when_all_files_are_whole(tmp_path: Path) -> None:
    pool = FilePool()
    content = memoryview(os.urandom(POOLED_FROM))  # not aligned: written all the same
    with Staging(tmp_path / "t", durable=False) as staging:
        for number in range(100):
            pool.write(staging.create_file(f"f{number}", 0o644, len(content)), content)
        pool.wait()
        sizes = {each.stat().st_size for each in staging.folder.iterdir()}
        pool.close()
    assert sizes == {POOLED_FROM}
