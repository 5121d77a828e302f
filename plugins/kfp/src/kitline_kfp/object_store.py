"""The object store of a cluster: lists what a run left, and reads it from any offset.

A small protocol, and one store over fsspec, which reads S3, Google Cloud Storage and others with
the credentials that those libraries find by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from kitline.errors import PluginError, SourceError
from kitline.plugin import Closing, Entry, without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline.plugin import ByteStream


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One object; `key` is relative to the store's root, `size` in bytes."""

    key: str
    size: int
    modified: str = ""
    """When it was written, as text that sorts; empty if the store does not tell."""


class ObjectStore(Protocol):
    """Where a cluster keeps the outputs of runs."""

    def list(self, prefix: str) -> Sequence[StoredObject]:
        """Return everything below a prefix."""

    def open(self, key: str, offset: int) -> ByteStream:
        """Open an object at an offset in bytes."""


@dataclass(frozen=True, kw_only=True)
class ObjectSource:
    """A file or folder of an object store as content of a kit; nothing touches the disk."""

    store: ObjectStore
    key: str
    objects: tuple[StoredObject, ...]
    warnings: tuple[str, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """Yield the object itself under the empty path, or a folder and what is below the key."""
        if [each.key for each in self.objects] == [self.key]:
            yield self._entry("", self.objects[0])
            return
        yield Entry(path="", is_folder=True, mode=0o755)
        folders: set[str] = set()
        for each in self.objects:
            path = each.key.removeprefix(self.key).lstrip("/")
            parts = path.split("/")
            if ".." in parts or "" in parts or "." in parts:
                raise SourceError(f"object {each.key!r} has no usable path")
            for count in range(1, len(parts)):
                folder = "/".join(parts[:count])
                if folder not in folders:
                    folders.add(folder)
                    yield Entry(path=folder, is_folder=True, mode=0o755)
            yield self._entry(path, each)

    def _entry(self, path: str, each: StoredObject) -> Entry:
        return Entry(path=path, size=each.size, open=partial(self.store.open, each.key))


class FsspecStore:
    """An ObjectStore below an address that fsspec reads, such as `s3://bucket/v2/artifacts`."""

    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError as cause:
            raise PluginError(
                "reading the outputs of a run on a cluster needs fsspec; install"
                " 'kitline-kfp[objects]' and s3fs, gcsfs or another for your store"
            ) from cause
        if address.startswith("minio://"):  # KFP's name for S3 at an address of its own
            address = "s3://" + address.removeprefix("minio://")
        self.address = without_passwords(address).rstrip("/")
        try:
            self._files, root = fsspec.core.url_to_fs(address.rstrip("/"))
        except (ImportError, ValueError) as cause:
            raise PluginError(f"cannot read objects at {self.address!r}: {cause}") from cause
        self._root = str(root)

    def list(self, prefix: str) -> Sequence[StoredObject]:
        """Return everything below a prefix.

        Raises:
            SourceError: if the store refuses or cannot be reached.
        """
        try:
            self._files.invalidate_cache()
            found = self._files.find(f"{self._root}/{prefix}", detail=True)
        except FileNotFoundError:
            return ()
        except Exception as cause:  # each library has errors of its own
            raise SourceError(f"cannot list {self.address}/{prefix}: {_shown(cause)}") from cause
        skip = len(self._root) + 1
        return tuple(
            StoredObject(key=name[skip:], size=int(each["size"] or 0), modified=_modified(each))
            for name, each in sorted(found.items())
            if each.get("type") == "file" and not name.endswith("/")
        )

    def open(self, key: str, offset: int) -> ByteStream:
        """Open an object at an offset.

        Raises:
            SourceError: if it is not there any more.
        """
        try:
            file = self._files.open(f"{self._root}/{key}", "rb")
            file.seek(offset)
        except Exception as cause:
            raise SourceError(f"cannot read {self.address}/{key}: {_shown(cause)}") from cause
        return _Stream(file, f"{self.address}/{key}")


class _Stream(Closing):
    """A ByteStream over a file object."""

    __slots__ = ("_file", "_name")

    def __init__(self, file: Any, name: str) -> None:
        self._file, self._name = file, name

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            content = self._file.read(len(buffer))
        except Exception as cause:
            raise SourceError(f"cannot read {self._name}: {_shown(cause)}") from cause
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()


def _modified(each: dict[str, Any]) -> str:
    found = each.get("LastModified") or each.get("updated") or each.get("mtime") or ""
    return str(found)


def _shown(cause: BaseException) -> str:
    return without_passwords(str(cause)) or type(cause).__name__
