"""Extract: one layer from a store into staging, verified while it is written.

Reading, hashing and writing run side by side in a ring of buffers; the memory used does not grow
with the layer. Nothing is moved out of staging before digest, size and diff id are right.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from kitline.errors import DigestMismatch, SizeMismatch, UnsafeLayer
from kitline.frozen import dataclass
from kitline.kit.decompress import open_decompressed
from kitline.kit.layer_path import check_layer_path
from kitline.kit.layer_writer import RawWriter, TarWriter
from kitline.oci import media_types
from kitline.oci.digest import Digest, Hasher
from kitline.store.closing import Closing
from kitline.store.pipeline import Pipeline, fill
from kitline.store.verify import VerifyingStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.kit.layer_writer import LayerWriter, Place
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import ByteStream
    from kitline.store.progress import ProgressTask

_SMALL: Final = 1 << 20
"""Up to this many bytes threads cost more than they save."""
_RAW_MODE: Final = 0o644


@dataclass(frozen=True, kw_only=True)
class ExtractedLayer:
    """What a layer turned out to hold."""

    diff_id: Digest
    """Digest of the uncompressed bytes."""
    size: int
    """Uncompressed bytes."""


def extract_tar(
    stream: ByteStream,
    staging: Place,
    descriptor: Descriptor,
    *,
    compression: str = "",
    diff_id: Digest | None = None,
    what: str = "",
    task: ProgressTask | None = None,
) -> ExtractedLayer:
    """Unpack a tar layer into staging and close the stream.

    Args:
        stream: The blob from its beginning, not verified yet.
        staging: Where files and folders are made.
        descriptor: What the blob must be.
        compression: What the media type says: nothing, `gzip` or `zstd`.
        diff_id: What the uncompressed bytes must be, if that is known.
        what: What messages call the layer, such as `layer 'model'`.
        task: Takes the count of bytes as they are read from the blob.

    Raises:
        DigestMismatch, SizeMismatch: if the bytes are others than promised.
        UnsafeLayer: if the tar holds what could do harm, or is no tar.
    """
    what = what or f"layer {descriptor.digest}"
    size = None if compression else descriptor.size
    # no threads for a small layer, and its buffer is not aligned
    writer = TarWriter(staging, what, size, aligned=not _is_small(descriptor, compression))
    return _extract(stream, writer, staging, descriptor, compression, diff_id, what, task)


def extract_raw(
    stream: ByteStream,
    staging: Place,
    descriptor: Descriptor,
    *,
    path: str | None = None,
    compression: str = "",
    diff_id: Digest | None = None,
    what: str = "",
    task: ProgressTask | None = None,
) -> ExtractedLayer:
    """Write a raw layer as one file into staging and close the stream; as `extract_tar`.

    `path` is where the file goes; None asks the layer's annotations.

    Raises:
        UnsafeLayer: if no path is known or it leads out of the folder.
    """
    what = what or f"layer {descriptor.digest}"
    notes = descriptor.annotations
    named = path or notes.get(media_types.FILEPATH) or notes.get(media_types.OLD_FILEPATH)
    if not named:
        raise UnsafeLayer(f"{what}: a raw layer, and no annotation names its file")
    checked = check_layer_path(named, what, staging.limits)
    if not checked:
        raise UnsafeLayer(f"{what}: {named!r} is a folder, and a raw layer is one file")
    if staging.limits.check_file is not None:
        staging.limits.check_file(checked)
    size = None if compression else descriptor.size
    writer = RawWriter(staging, checked, raw_mode(notes), size)
    found = _extract(stream, writer, staging, descriptor, compression, diff_id, what, task)
    claimed = _metadata(notes).get("size")
    if isinstance(claimed, int) and claimed != found.size:
        raise SizeMismatch(f"{what}, by its metadata", expected=claimed, actual=found.size)
    return found


def raw_mode(annotations: Mapping[str, str]) -> int:
    """Return the permission bits in a raw layer's metadata, 0644 if it has none."""
    mode = _metadata(annotations).get("mode")
    return mode & 0o777 if isinstance(mode, int) and mode > 0 else _RAW_MODE


def _metadata(annotations: Mapping[str, str]) -> dict[str, Any]:
    text = annotations.get(media_types.FILE_METADATA) or annotations.get(
        media_types.OLD_FILE_METADATA
    )
    try:
        fields = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        fields = {}
    return fields if isinstance(fields, dict) else {}


def _extract(
    stream: ByteStream,
    writer: LayerWriter,
    staging: Place,
    descriptor: Descriptor,
    compression: str,
    diff_id: Digest | None,
    what: str,
    task: ProgressTask | None,
) -> ExtractedLayer:
    counted: ByteStream = _Counted(stream, task) if task else stream
    verified = VerifyingStream(counted, descriptor, what) if compression else None
    hasher = Hasher(diff_id.algorithm if compression and diff_id else descriptor.digest.algorithm)
    plain = counted
    if verified is not None:
        plain = open_decompressed(
            verified, compression, what=what, size=descriptor.size, limits=staging.limits
        )
    ceiling = None if compression else descriptor.size
    try:
        with plain:
            if _is_small(descriptor, compression):
                _pump_small(plain, hasher, writer, ceiling, what)
            else:
                _pump(plain, hasher, writer, ceiling, what)
            if verified is not None:
                _drain(verified, what)
        if not compression:
            _check_blob(hasher, descriptor, what)
        writer.finish()
    finally:
        writer.close()
    found = hasher.digest()
    if diff_id is not None and found != diff_id:
        raise DigestMismatch(f"{what}, uncompressed", expected=str(diff_id), actual=str(found))
    return ExtractedLayer(diff_id=found, size=hasher.size)


def _is_small(descriptor: Descriptor, compression: str) -> bool:
    return descriptor.size <= _SMALL and not compression


def _pump(
    stream: ByteStream, hasher: Hasher, writer: LayerWriter, ceiling: int | None, what: str
) -> None:
    read = 0
    with Pipeline(workers=2) as pipeline:
        while count := fill(stream, pipeline.buffer()):
            read += count
            _check_length(read, ceiling, what)
            pipeline.submit(count, hasher.update, writer.feed)
        pipeline.finish()


def _pump_small(
    stream: ByteStream, hasher: Hasher, writer: LayerWriter, ceiling: int | None, what: str
) -> None:
    buffer = memoryview(bytearray((ceiling or 0) + 1))
    count = fill(stream, buffer)
    _check_length(count, ceiling, what)
    hasher.update(buffer[:count])
    if count:
        writer.feed(buffer[:count])


def _check_length(read: int, ceiling: int | None, what: str) -> None:
    if ceiling is not None and read > ceiling:
        raise SizeMismatch(what, expected=ceiling, actual=f"{ceiling + 1} or more")


def _check_blob(hasher: Hasher, descriptor: Descriptor, what: str) -> None:
    if hasher.size != descriptor.size:
        raise SizeMismatch(what, expected=descriptor.size, actual=hasher.size)
    actual = hasher.digest()
    if actual != descriptor.digest:
        raise DigestMismatch(what, expected=str(descriptor.digest), actual=str(actual))


def _drain(stream: ByteStream, what: str) -> None:
    """Read the blob to its end, where it is verified; a decoder may have stopped before."""
    if stream.readinto(memoryview(bytearray(4096))):
        raise UnsafeLayer(f"{what}: other bytes follow the compressed data; nothing was kept")


class _Counted(Closing):
    """Reports the bytes that pass."""

    def __init__(self, stream: ByteStream, task: ProgressTask) -> None:
        self._stream = stream
        self._task = task

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._stream.readinto(buffer)
        self._task.advance(count)
        return count

    def close(self) -> None:
        self._stream.close()
