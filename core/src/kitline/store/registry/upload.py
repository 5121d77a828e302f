"""Uploads: a blob is looked up if its digest is known, else sent while it is hashed.

Small blobs, and all of them where the registry takes only one PUT (`limits`), are hashed first:
reading a small one twice costs less than another request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.store.interface import StoredBlob
from kitline.store.progress import SILENT
from kitline.store.registry.blobs import has_blob
from kitline.store.registry.body import Reading
from kitline.store.registry.limits import check_size, limits_of
from kitline.store.registry.sending import SMALL, Upload

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.store.interface import BlobSource
    from kitline.store.progress import Progress
    from kitline.store.registry.client import RegistryClient
    from kitline.store.registry.limits import Limits


def push_blob(
    client: RegistryClient,
    source: BlobSource,
    *,
    digest: Digest | None,
    is_new: bool,
    name: str,
    progress: Progress,
) -> StoredBlob:
    """Store a blob; see `BlobPusher.push_blob`."""
    limits = limits_of(client.registry)
    name = name or (f"blob {digest}" if digest else "a blob")
    check_size(client.registry, limits, source.size, name)
    if digest is None and _hashes_first(client, limits, source):
        digest = _hash(source, name, progress)
    task = progress.begin(name, source.size)
    try:
        if digest is not None and not is_new and has_blob(client, digest):
            task.end("exists")
            return StoredBlob(digest=digest, size=source.size, existed=True)
        with Reading(source, name=name, expected=digest, report=task.advance) as reading:
            stored = Upload(client, reading, digest, limits).run()
    except BaseException:
        task.end("failed")
        raise
    task.end("pushed")
    return StoredBlob(digest=stored, size=source.size)


def _hashes_first(client: RegistryClient, limits: Limits, source: BlobSource) -> bool:
    if source.size <= SMALL or limits.monolithic or not client.takes_patches:
        return True
    return bool(client.options.hash_first)


def _hash(source: BlobSource, name: str, progress: Progress) -> Digest:
    """Read the source once for its digest; only large ones are worth a line of progress."""
    shown = SILENT if source.size <= SMALL else progress
    task = shown.begin(f"digest of {name}", source.size)
    try:
        with Reading(source, name=name, expected=None, report=task.advance) as reading:
            digest = reading.digest()
    except BaseException:
        task.end("failed")
        raise
    task.end("known")
    return digest
