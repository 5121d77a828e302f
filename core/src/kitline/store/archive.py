"""ArchiveStore: an OCI image layout in one plain tar file, `oci-archive:FILE`.

Nothing is ever extracted: blobs are read at their place in the file. Writing notes first what is to
be kept and where it can be read; `finish` then writes the whole archive in one pass beside the old
one, durably, and takes its place. Equal content gives equal bytes: names sorted, no times, no
owners.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from functools import partial
from glob import escape
from typing import TYPE_CHECKING

from kitline.errors import (
    BlobNotFound,
    InvalidManifest,
    ManifestNotFound,
    SizeMismatch,
    StoreError,
    TagConflict,
    TagNotFound,
    TargetError,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest, Hasher
from kitline.oci.json import decode
from kitline.oci.reference import check_tag
from kitline.store.archive_file import (
    Member,
    MemberStream,
    blob_name,
    read_members,
    write_members,
)
from kitline.store.durable import replace_durably
from kitline.store.file_lock import remove_dead_files, try_lock
from kitline.store.interface import StoredBlob
from kitline.store.layout_index import (
    INDEX_FILE,
    LAYOUT_BYTES,
    LAYOUT_FILE,
    SIZE_LIMIT,
    LayoutIndex,
)
from kitline.store.layout_reading import LayoutReader
from kitline.store.pipeline import hash_stream
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource
from kitline.store.verify import VerifyingStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self

    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.interface import BlobSource, ByteStream, Store
    from kitline.store.progress import Progress


class ArchiveStore(LayoutReader):
    """One repository in a tar file; what was pushed is in the file after `finish` or `close`.

    `close`, and leaving the context without an error, finish; sources must be readable until then.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        pin: Callable[[Digest], PinnedReference | LayoutReference],
    ) -> None:
        super().__init__(name)
        self.path = path
        self._pin = pin
        self._lock = threading.RLock()
        self._file: BinaryIO | None = None
        self._members: dict[str, Member] | None = None
        self._index: LayoutIndex | None = None
        self._staged: dict[Digest, BlobSource] = {}
        self._changed = False

    def pin(self, digest: Digest) -> PinnedReference | LayoutReference:
        """Return the pinned reference of a manifest in this archive."""
        return self._pin(digest)

    # Reading

    def read_index(self) -> LayoutIndex:
        """Return the index with what was pushed since; an empty one if there is no file yet.

        Raises:
            InvalidManifest: if the file is not a tar archive of an image layout.
        """
        with self._lock:
            if self._index is None:
                self._index = self._load_index()
            return self._index

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        """Open a blob at `offset`; its size is compared, its bytes are not verified."""
        stream, size = self._open_blob(descriptor.digest, offset)
        if size != descriptor.size:
            stream.close()
            what = f"blob {descriptor.digest} {self._locate(descriptor.digest)}"
            raise SizeMismatch(what, expected=descriptor.size, actual=size)
        return stream

    def _open_blob(self, digest: Digest, offset: int = 0) -> tuple[ByteStream, int]:
        with self._lock:
            staged = self._staged.get(digest)
            if staged is not None:
                return staged.open(offset), staged.size
            member = self._load().get(blob_name(digest))
            if member is None or self._file is None:
                raise BlobNotFound(f"{self.name!r} holds no blob {str(digest)!r}")
            return self._open_member(member, offset), member.size

    def _open_member(self, member: Member, offset: int = 0) -> MemberStream:
        assert self._file is not None
        return MemberStream(self._file.fileno(), member, offset, f"in {str(self.path)!r}")

    def _locate(self, digest: Digest) -> str:
        return f"in {str(self.path)!r}"

    def _load(self) -> dict[str, Member]:
        """Return the members of the file; none if there is no file yet."""
        with self._lock:
            if self._members is None:
                self._members = self._open_file()
            return self._members

    def _open_file(self) -> dict[str, Member]:
        try:
            file = open(self.path, "rb")  # noqa: SIM115 – closed by close()
        except FileNotFoundError:
            return {}
        except OSError as cause:
            raise StoreError(f"cannot read {str(self.path)!r}: {cause.strerror}") from cause
        try:
            members = read_members(file, f"archive {str(self.path)!r}")
        except BaseException:
            file.close()
            raise
        self._file = file
        return members

    def _load_index(self) -> LayoutIndex:
        members = self._load()
        if self._file is None:
            return LayoutIndex()
        where = f"archive {str(self.path)!r}"
        try:
            fields = decode(self._read_small(LAYOUT_FILE, 4096), limit=4096)
        except ValueError as cause:
            raise InvalidManifest(f"{where}: {LAYOUT_FILE!r} is not JSON: {cause}") from cause
        version = fields.get("imageLayoutVersion") if isinstance(fields, dict) else None
        if not isinstance(version, str) or not version.startswith("1."):
            raise InvalidManifest(f"{where}: imageLayoutVersion is {version!r}, not '1.0.0'")
        if INDEX_FILE not in members:
            raise InvalidManifest(f"{where} holds no {INDEX_FILE!r}")
        return LayoutIndex.from_bytes(self._read_small(INDEX_FILE, SIZE_LIMIT), where)

    def _read_small(self, name: str, limit: int) -> bytes:
        member = self._load().get(name)
        if member is None or member.size > limit:
            found = "no" if member is None else f"{member.size} bytes of"
            raise InvalidManifest(
                f"{str(self.path)!r} is not an archive of an OCI image layout: it holds {found}"
                f" {name!r}"
            )
        buffer = memoryview(bytearray(member.size))
        with self._open_member(member) as stream:
            return bytes(buffer[: stream.readinto(buffer)]) if member.size else b""

    # Taking in

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        is_new: bool = False,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        """Note where a blob can be read; it is copied, and verified again, by `finish`."""
        what = f"blob {name or digest or ''}".strip()
        task = progress.begin(name, source.size)
        try:
            if digest is not None and self.has_blob(digest):
                task.end("exists")
                return StoredBlob(digest=digest, size=source.size, existed=True)
            hasher = Hasher(digest.algorithm if digest else "sha256")
            with source.open() as stream:
                if digest is not None:
                    stream = _described(source, digest, stream, what)
                hash_stream(stream, hasher, task.advance)
            if hasher.size != source.size:
                raise SizeMismatch(what, expected=source.size, actual=hasher.size)
        except BaseException:
            task.end("failed")
            raise
        found = hasher.digest()
        existed = self.has_blob(found)
        with self._lock:
            if not existed:
                self._staged[found] = source
        task.end("exists" if existed else "pushed")
        return StoredBlob(digest=found, size=source.size, existed=existed)

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        """Return False: an archive shares nothing."""
        return False

    def push_manifest(self, manifest: Manifest) -> None:
        """List a manifest, untagged.

        Raises:
            BlobNotFound: if something that it references is missing.
        """
        for each in manifest.references:
            if not self.has_blob(each.digest):
                raise BlobNotFound(
                    f"{self.name!r} cannot take manifest {str(manifest.digest)!r}:"
                    f" it references {str(each.digest)!r}, which is not there; push that first"
                )
        with self._lock:
            if not self.has_blob(manifest.digest):
                self._staged[manifest.digest] = BytesSource(manifest.raw)
            self._replace_index(self.read_index().with_manifest(manifest))

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        """Point the tag at a manifest of this archive."""
        check_tag(tag)
        with self._lock:
            if self.find_manifest(manifest.digest) is None:
                raise ManifestNotFound(
                    f"{self.name!r} cannot tag {str(manifest.digest)!r} as {tag!r}:"
                    " there is no such manifest; push it first"
                )
            found = self.find_tag(tag)
            previous = found.digest if found else None
            if not may_move and previous not in (None, manifest.digest):
                raise TagConflict(
                    f"tag {tag!r} of {self.name!r} points at {str(previous)!r} and may not move"
                    f" to {str(manifest.digest)!r}; use another tag or allow the move"
                )
            self._replace_index(self.read_index().with_tag(tag, manifest))
            return previous

    def remove_tag(self, tag: str) -> None:
        """Remove a tag."""
        with self._lock:
            if self.find_tag(tag) is None:
                raise TagNotFound(f"{self.name!r} has no tag {tag!r}")
            self._replace_index(self.read_index().without_tag(tag))

    def remove_manifest(self, digest: Digest) -> None:
        """Remove a manifest and its tags; `finish` leaves out what nothing needs any more."""
        with self._lock:
            if self.read_index().find(digest) is None:
                raise ManifestNotFound(f"{self.name!r} lists no manifest {str(digest)!r}")
            self._replace_index(self.read_index().without_manifests({digest}))

    def _replace_index(self, index: LayoutIndex) -> None:
        self._changed = self._changed or index is not self._index
        self._index = index

    # Writing

    def finish(self) -> None:
        """Write the archive if something changed: whole, verified and durable, or not at all.

        Raises:
            DigestMismatch: if a source has changed since it was pushed.
            TargetError: if the file cannot be written.
        """
        with self._lock:
            if not self._changed:
                return
            index = self.read_index()
            temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}.tmp")
            self._remove_leftovers()
            try:
                small = {LAYOUT_FILE: LAYOUT_BYTES, INDEX_FILE: index.to_bytes()}
                blobs = {blob_name(each): partial(self._verified, each) for each in self._needed()}
                with open(temporary, "xb") as file:
                    with contextlib.suppress(OSError):  # not every file system knows locks
                        try_lock(file.fileno())
                    write_members(file, small, blobs)
                    file.flush()
                    replace_durably(temporary, self.path)
            except OSError as cause:
                raise TargetError(
                    f"cannot write archive {str(self.path)!r}: {cause.strerror or cause}"
                ) from cause
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
            self._forget()

    def _remove_leftovers(self) -> None:
        """Remove what killed processes left beside the archive."""
        pattern = f".{escape(self.path.name)}.{'[0-9a-f]' * 16}.tmp"
        remove_dead_files(self.path.parent.glob(pattern))

    def _verified(self, digest: Digest) -> tuple[ByteStream, int]:
        stream, size = self._open_blob(digest)
        descriptor = Descriptor(media_type="application/octet-stream", digest=digest, size=size)
        return VerifyingStream(stream, descriptor), size

    def _needed(self) -> set[Digest]:
        found: set[Digest] = set()
        waiting = list(self.list_manifests())
        while waiting:
            descriptor = waiting.pop()
            if descriptor.digest in found or not self.has_blob(descriptor.digest):
                continue
            found.add(descriptor.digest)
            for each in self.read_manifest(descriptor).references:
                if self.is_manifest(each):
                    waiting.append(each)
                elif self.has_blob(each.digest):
                    found.add(each.digest)
        return found

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._members = self._index = None
        self._staged.clear()
        self._changed = False

    def close(self) -> None:
        """Write what changed, and close the file."""
        try:
            self.finish()
        finally:
            self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        if error is not None:
            self._changed = False
        self.close()


def _described(source: BlobSource, digest: Digest, stream: ByteStream, what: str) -> ByteStream:
    descriptor = Descriptor(media_type="application/octet-stream", digest=digest, size=source.size)
    return VerifyingStream(stream, descriptor, what)
