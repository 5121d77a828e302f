"""The tar file of an archive: where its members lie, and how one is written."""

from __future__ import annotations

import os
import tarfile  # noqa: TID251 – an oci-archive is not a layer
from typing import TYPE_CHECKING

from kitline.errors import InvalidDigest, InvalidManifest
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.store.layout_index import INDEX_FILE, LAYOUT_FILE
from kitline.store.locate import BLOB_FOLDER
from kitline.store.source import BytesSource, FileStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from kitline.store.interface import ByteStream

MEMBER_LIMIT = 1_000_000
"""Most members of an archive from outside."""


def blob_name(digest: Digest) -> str:
    """Return the name of a blob's member."""
    return f"{BLOB_FOLDER}/{digest.algorithm}/{digest.hex}"


@dataclass(frozen=True, kw_only=True)
class Member:
    """Where a file lies in the archive, in bytes."""

    offset: int
    size: int


class MemberStream(FileStream):
    """A part of the archive, from its place to its end."""

    def __init__(self, fd: int, member: Member, offset: int, location: str) -> None:
        super().__init__(fd, member.offset + offset)
        self._left = max(member.size - offset, 0)
        self.location = location

    def readinto(self, buffer: memoryview, /) -> int:
        count = super().readinto(buffer[: self._left])
        self._left -= count
        return count


class _Reader:
    """A ByteStream as the file object that tarfile copies from."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        buffer = memoryview(bytearray(size))
        filled = 0
        while filled < size and (count := self._stream.readinto(buffer[filled:])):
            filled += count
        return bytes(buffer[:filled])


def _header(name: str, size: int, *, folder: bool = False) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name + "/" if folder else name)
    header.size, header.mtime, header.mode = size, 0, 0o755 if folder else 0o644
    header.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    return header


def read_members(file: BinaryIO, where: str) -> dict[str, Member]:
    """Find every file of an archive from outside, without reading contents.

    Raises:
        InvalidManifest: if it is no tar, is cut off, holds links or devices, or a name twice.
    """
    found: dict[str, Member] = {}
    end = os.fstat(file.fileno()).st_size
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for number, member in enumerate(tar):
                tar.members = []  # type: ignore[attr-defined] # else tarfile keeps every header
                if number >= MEMBER_LIMIT:
                    raise InvalidManifest(f"{where} holds more than {MEMBER_LIMIT} members")
                _take_member(found, member, end, where)
    except (tarfile.TarError, ValueError, OverflowError) as cause:
        raise InvalidManifest(f"{where} is not a plain tar archive: {cause}") from cause
    return found


def _take_member(found: dict[str, Member], member: tarfile.TarInfo, end: int, where: str) -> None:
    name = member.name.removeprefix("./").rstrip("/")
    if member.isdir() or name in ("", "."):
        return
    if not member.isreg() or member.issparse():
        raise InvalidManifest(f"{where}: {member.name!r} is a link or device, not a file; refused")
    if not _is_layout_name(name):
        return
    if name in found:
        raise InvalidManifest(f"{where} holds {name!r} twice; refused")
    if member.size < 0 or member.offset_data + member.size > end:
        raise InvalidManifest(f"{where} is cut off within {name!r}")
    found[name] = Member(offset=member.offset_data, size=member.size)


def _is_layout_name(name: str) -> bool:
    if name in (LAYOUT_FILE, INDEX_FILE):
        return True
    folder, _, rest = name.partition("/")
    try:
        Digest(rest.replace("/", ":", 1))
    except InvalidDigest:
        return False  # extra files are allowed and never looked at
    return folder == BLOB_FOLDER


def write_members(
    file: BinaryIO,
    small: Mapping[str, bytes],
    blobs: Mapping[str, Callable[[], tuple[ByteStream, int]]],
) -> None:
    """Write all members in the order of their names, with the folders that hold them."""
    folders = {BLOB_FOLDER, *(name.rpartition("/")[0] for name in blobs)}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted((*small, *blobs, *folders)):
            if name in folders:
                tar.addfile(_header(name, 0, folder=True))
                continue
            stream, size = _open_bytes(small[name]) if name in small else blobs[name]()
            with stream:
                tar.addfile(_header(name, size), _Reader(stream))


def _open_bytes(data: bytes) -> tuple[ByteStream, int]:
    return BytesSource(data).open(), len(data)
