"""Clean-up of a layout: what nothing refers to goes, under the lock of the index.

Kept are blobs younger than a grace time, and all that came since the oldest living process began to
take blobs in: their manifest may be on the way.
"""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, ManifestNotFound
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.store.ingest import Leftovers, prune_ingest
from kitline.store.locate import BLOB_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.oci.descriptor import Descriptor
    from kitline.store.layout import LayoutStore
    from kitline.store.layout_index import LayoutIndex


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was removed; sizes in bytes, a blob that a neighbour shares counted in full."""

    manifests: tuple[Digest, ...] = ()
    blobs: int = 0
    blob_bytes: int = 0
    leftovers: int = 0
    leftover_bytes: int = 0
    kept_because: str = ""
    """Why no blob was removed, if that was not possible."""


def remove_manifest(store: LayoutStore, digest: Digest, *, grace: float) -> Pruned:
    """Take a manifest and its tags off the list, then remove blobs that nothing refers to."""

    def change(index: LayoutIndex) -> LayoutIndex:
        if index.find(digest) is None:
            raise ManifestNotFound(f"{store.name!r} lists no manifest {str(digest)!r}")
        return index.without_manifests({digest})

    store.place.edit_index(change)
    return _collect(store, (digest,), grace=grace, leftover_age=max(grace, 1.0))


def prune(store: LayoutStore, *, grace: float) -> Pruned:
    """Take untagged manifests off the list, unless they serve one that stays; then clean up."""
    if not store.exists():
        return Pruned()
    dropped: set[Digest] = set()

    def change(index: LayoutIndex) -> LayoutIndex:
        kept = _needed(store, index)
        leftovers = prune_ingest(store.place.ingest, older_than=math.inf)
        old = _limit(grace, leftovers)
        for each in index.descriptors():
            if each.digest not in kept and _changed(store.blob_path(each.digest)) <= old:
                dropped.add(each.digest)
        return index.without_manifests(dropped) if dropped else index

    store.close()  # our own lease: what we took in is listed by now
    store.place.edit_index(change, with_lease=False)
    return _collect(store, tuple(sorted(dropped)), grace=grace, leftover_age=grace)


def _needed(store: LayoutStore, index: LayoutIndex) -> set[Digest]:
    """Return the tagged manifests, the parts of indexes among them, and referrers of those.

    What a tagged manifest is about stays with it: a promotion record needs its kit.
    """
    tagged = {each.descriptor.digest: each for each in index.entries if each.tag is not None}
    kept: set[Digest] = set()
    subjects = {each.digest: store.find_subject(each) for each in index.descriptors()}
    about = {subjects[digest] for digest in tagged}
    waiting = [each.descriptor for each in tagged.values()]
    waiting += [each for each in index.descriptors() if each.digest in about]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.digest in kept:
            continue
        kept.add(descriptor.digest)
        waiting += store.find_parts(descriptor)
        waiting += [
            each for each in index.descriptors() if subjects[each.digest] == descriptor.digest
        ]
    return kept


def _collect(
    store: LayoutStore, dropped: tuple[Digest, ...], *, grace: float, leftover_age: float
) -> Pruned:
    store.close()  # our own lease: what we took in is listed by now
    with store.place.locked():
        leftovers = prune_ingest(store.place.ingest, older_than=leftover_age)
        try:
            reachable = set(_reachable(store))
        except KitlineError as cause:
            return _result(dropped, [], leftovers, kept_because=str(cause))
        limit = _limit(grace, leftovers)
        removed = [
            _remove(path)
            for digest, path in _blobs(store)
            if digest not in reachable and _changed(path) <= limit
        ]
    return _result(dropped, removed, leftovers)


def _limit(grace: float, leftovers: Leftovers) -> int:
    """Return before when, in ns, a blob must have come so that it may go."""
    limit = time.time_ns() - int(grace * 1e9)
    return limit if leftovers.live_since is None else min(limit, leftovers.live_since - 1)


def _result(
    dropped: tuple[Digest, ...], sizes: list[int], leftovers: Leftovers, kept_because: str = ""
) -> Pruned:
    return Pruned(
        manifests=dropped,
        blobs=len(sizes),
        blob_bytes=sum(sizes),
        leftovers=leftovers.removed,
        leftover_bytes=leftovers.removed_bytes,
        kept_because=kept_because,
    )


def _reachable(store: LayoutStore) -> Iterator[Digest]:
    """Yield what listed manifests need. Raises if one cannot be read: what it needs is unknown."""
    waiting: list[Descriptor] = list(store.list_manifests())
    seen: set[Digest] = set()
    while waiting:
        descriptor = waiting.pop()
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        yield descriptor.digest
        if store.is_manifest(descriptor) and store.has_blob(descriptor.digest):
            waiting += store.read_manifest(descriptor).references


def _blobs(store: LayoutStore) -> Iterator[tuple[Digest, Path]]:
    for folder in (store.folder / BLOB_FOLDER).iterdir():
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                yield Digest(f"{folder.name}:{path.name}"), path
            except KitlineError:
                continue  # not a blob: not ours


def _changed(path: Path) -> int:
    """Return when a blob came or was last asked for, in ns: a link or a touch changes it."""
    try:
        return os.lstat(path).st_ctime_ns
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> int:
    size = os.lstat(path).st_size
    path.unlink()
    return size
