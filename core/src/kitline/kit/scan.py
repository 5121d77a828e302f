"""Scan: what files a layer holds, with the digest of each, without writing any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import InvalidConfig
from kitline.frozen import dataclass
from kitline.kit.decompress import open_decompressed
from kitline.kit.extract import raw_mode
from kitline.kit.layer_kind import find_filepath, layer_kind
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.kit.tar_reader import TarReader, TarSink
from kitline.oci.digest import Digest, Hasher
from kitline.store.pipeline import BLOCK_SIZE, fill
from kitline.store.progress import SILENT
from kitline.store.verify import VerifyingStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.kit.kitfile import KitPart
    from kitline.kit.limits import Limits
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import ByteStream, Fetcher
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a layer; `digest` is that of its content, `size` in bytes."""

    path: str
    mode: int
    size: int
    digest: Digest


def scan_layer(
    store: Fetcher,
    part: KitPart,
    layer: Descriptor,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> list[Member]:
    """Read a layer to its end, verified, and return its files.

    Raises:
        VerificationError: if the layer is not what the manifest promises.
        UnsafeLayer: if the layer holds what could do harm.
    """
    sink = _Hashing()
    read_layer(store, part, layer, sink, limits=limits, progress=progress)
    return sink.members


def read_layer(
    store: Fetcher,
    part: KitPart,
    layer: Descriptor,
    sink: TarSink,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> None:
    """Read a layer to its end, verified, and give its files to `sink`; raises as `scan_layer`."""
    kind = layer_kind(layer.media_type)
    if kind is None:
        raise InvalidConfig(f"{part.field}: {layer.media_type!r} is not the type of a kit's layer")
    what = f"layer {part.clean_path!r}"
    task = progress.begin(part.clean_path, layer.size)
    stream: ByteStream = VerifyingStream(store.fetch(layer), layer, what)
    if kind.compression:
        stream = open_decompressed(
            stream, kind.compression, what=what, size=layer.size, limits=limits
        )
    feed, finish = _readers(sink, kind.format, part, layer, what, limits)
    buffer = memoryview(bytearray(BLOCK_SIZE))
    with stream:
        while count := fill(stream, buffer):
            feed(buffer[:count])
            task.advance(count)
    finish()
    task.end("read")


def _readers(
    sink: TarSink, form: str, part: KitPart, layer: Descriptor, what: str, limits: Limits
) -> tuple[Callable[[memoryview], None], Callable[[], None]]:
    """Return what takes the layer's bytes and what ends them."""
    if form == "raw":
        path = find_filepath(layer) or part.clean_path
        sink.begin_file(path, raw_mode(layer.annotations), layer.size)
        return sink.write, sink.end_file
    size = None if "+" in layer.media_type else layer.size
    # "+" in the media type names a compression: the size of the tar is not known then
    reader = TarReader(sink, what, limits, size)
    return reader.feed, reader.finish


class _Hashing:
    """Takes files and keeps their digests; the TarReader's sink."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._path, self._mode = "", 0
        self._hasher = Hasher()

    def add_folder(self, path: str, mode: int) -> None: ...

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._path, self._mode, self._hasher = path, mode, Hasher()

    def write(self, view: memoryview) -> None:
        self._hasher.update(view)

    def end_file(self) -> None:
        self.members.append(
            Member(
                path=self._path,
                mode=self._mode,
                size=self._hasher.size,
                digest=self._hasher.digest(),
            )
        )
