"""Tar headers byte for byte as Go's archive/tar writes them, so that layers equal those of kit.

Everything is fixed but name, kind, permission bits and size: no times, uid 1000, gid 0, no names
of owners. USTAR where name and size fit, else a PAX header in front of that entry alone.
Source: measured from kit 1.15.0; Go archive/tar/{writer,format,strconv}.go.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zlib import adler32

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""The end of a tar: exactly two blocks, no padding to a record."""

_NAME = 100
_PREFIX = 155
_MAX_SIZE = 0o77777777777
_KIND_FILE = b"0"
_KIND_FOLDER = b"5"
_KIND_PAX = b"x"
_MAGIC = b"ustar\x0000"
_DEVICE = b"0000000\x00" * 2
_OWNER = b"0001750\x000000000\x00"
_NO_OWNER = b"0000000\x00" * 2
_NO_TIME = b"00000000000\x00"
_BLANK_SUM = b"        "
_TAIL = BLOCK - 156
"""Bytes of a header behind its checksum."""


def encode_header(name: str, *, is_folder: bool, mode: int, size: int) -> bytes:
    """Return the blocks in front of an entry's content: 512 bytes, more if PAX is needed.

    `name` is relative, `/`-separated and without a final `/`; `size` in bytes, 0 for folders.

    Raises:
        UnicodeEncodeError: if the name is not Unicode (a lone surrogate).
    """
    kind = _KIND_FOLDER if is_folder else _KIND_FILE
    size = 0 if is_folder else size
    raw = name.encode()
    if size <= _MAX_SIZE and name.isascii():
        if len(raw) <= _NAME:
            return _block(raw, mode, size, kind, b"")
        if parts := _split(raw):
            prefix, rest = parts
            return _block(rest, mode, size, kind, prefix)
    return _pax_block(raw, size) + _main_block(raw, mode, size, kind)


def header_size(name: str, *, is_folder: bool, size: int) -> int:
    """Return how many bytes `encode_header` will return."""
    if len(name) <= _NAME and size <= _MAX_SIZE and name.isascii():
        return BLOCK
    return len(encode_header(name, is_folder=is_folder, mode=0, size=size))


def padding(size: int) -> int:
    """Return how many zero bytes follow `size` bytes of content."""
    return -size % BLOCK


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Cut a long name at the last `/` that leaves a prefix of at most 155 bytes."""
    cut = name.rfind(b"/", 0, min(len(name), _PREFIX + 1))
    if cut <= 0 or not 1 <= len(name) - cut - 1 <= _NAME:
        return None
    return name[:cut], name[cut + 1 :]


def _main_block(name: bytes, mode: int, size: int, kind: bytes) -> bytes:
    """The header after a PAX header: the name as far as ASCII and 100 bytes can tell it."""
    plain = _ascii(name)
    cut = plain[:_NAME]
    if len(plain) > _NAME and cut.endswith(b"/"):
        end = len(cut.rstrip(b"/"))
        cut = cut[:end] + b"\0" + cut[end + 1 :]
    return _block(cut, mode, size if size <= _MAX_SIZE else 0, kind, b"")


def _pax_block(name: bytes, size: int) -> bytes:
    records = b""
    if len(name) > _NAME or not name.isascii():
        records += _record(b"path", name)
    if size > _MAX_SIZE:
        records += _record(b"size", b"%d" % size)
    folder, _, base = name.rpartition(b"/")
    shown = (folder + b"/" if folder else b"") + b"PaxHeaders.0/" + base
    shown = _ascii(shown)[:_NAME].rstrip(b"/")
    header = _block(shown, 0, len(records), _KIND_PAX, b"", _NO_OWNER, bytes(16))
    return header + records + bytes(padding(len(records)))


def _record(key: bytes, value: bytes) -> bytes:
    """A PAX record begins with its own length, which counts the digits of that length."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ascii(name: bytes) -> bytes:
    return name if name.isascii() else bytes(byte for byte in name if byte < 0x80)


def _block(
    name: bytes,
    mode: int,
    size: int,
    kind: bytes,
    prefix: bytes,
    owner: bytes = _OWNER,
    device: bytes = _DEVICE,
) -> bytes:
    head = b"%s%07o\0%s%011o\0%s" % (name.ljust(_NAME, b"\0"), mode, owner, size, _NO_TIME)
    tail, its_sum = _tail(kind, device, prefix)
    # the lower half of an Adler-32 that begins at 0 is the sum of so few bytes
    return b"%s%06o\0 %s" % (head, (adler32(head, 0) & 0xFFFF) + its_sum, tail)


@lru_cache
def _tail(kind: bytes, device: bytes, prefix: bytes) -> tuple[bytes, int]:
    """Return what follows the checksum, and what it and the checksum's blank place add to that."""
    tail = b"%s%s%s%s%s%s" % (kind, bytes(_NAME), _MAGIC, bytes(64), device, prefix)
    return tail.ljust(_TAIL, b"\0"), sum(tail) + sum(_BLANK_SUM)
