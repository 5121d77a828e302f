"""A survey of a repository before clean-up: its kits, their names, stages and times.

Registries do not tell when something came. A kit's age there is what it says of itself (`created`),
else the time since a clean-up on this machine first saw it, which is noted.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, NotFound
from kitline.frozen import dataclass
from kitline.kit.load import kit_format
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.operations.stages.records import RecordReader
from kitline.operations.stages.table import list_stages
from kitline.operations.stores import is_own_tag
from kitline.promotion.times import read_time, time_text
from kitline.store.durable import make_folders, write_durably
from kitline.store.file_lock import locked_folder
from kitline.store.layout import LayoutStore
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import Manifest
    from kitline.operations.settings import Settings
    from kitline.store.interface import Store
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class SurveyedKit:
    """A kit of the repository."""

    manifest: ImageManifest
    tags: tuple[str, ...]
    """The names that people gave it."""
    since: datetime
    """When it was made or came."""

    @property
    def digest(self) -> Digest:
        """The digest of the kit."""
        return self.manifest.digest


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What lies in a repository."""

    kits: dict[Digest, SurveyedKit]
    staged: dict[Digest, str]
    """Kits that a stage holds or held, with the reason to keep them."""
    part_of_index: frozenset[Digest]
    """Kits that an index, which is no kit itself, refers to."""
    others: dict[Digest, Manifest] = field(repr=False)
    """What is no kit; it is left alone."""
    warnings: tuple[str, ...] = ()


def survey(store: Store, settings: Settings, now: datetime) -> Survey:
    """Look at a repository; nothing is written but the note of what was seen."""
    tagged = _tagged(store, settings.concurrency)
    watch = StageWatch(store, settings.concurrency)
    staged = watch.find_staged()
    wanted = {*tagged, *staged, *(each.digest for each in _listed(store))}
    manifests = _read(store, sorted(wanted), settings.concurrency)
    kits = {digest: each for digest, each in manifests.items() if _is_kit(each)}
    seen = _note_seen(settings, store.name, kits, now)
    others = {digest: each for digest, each in manifests.items() if digest not in kits}
    indexes = [each for each in others.values() if isinstance(each, ImageIndex)]
    return Survey(
        kits={
            digest: SurveyedKit(
                manifest=each,
                tags=tuple(tagged.get(digest, ())),
                since=_since(store, each, seen[digest]),
            )
            for digest, each in kits.items()
            if isinstance(each, ImageManifest)
        },
        staged=staged,
        part_of_index=frozenset(part.digest for each in indexes for part in each.references),
        others=others,
        warnings=tuple(watch.warnings),
    )


def _tagged(store: Store, workers: int) -> dict[Digest, list[str]]:
    """Return what tags point at, with the tags that people set; keep tags lead to kits, too."""
    tags = [each for each in store.list_tags() if not is_own_tag(each) or each.startswith("kit-")]

    def resolve(tag: str, _progress: Progress) -> Descriptor | None:
        return store.find_tag(tag)

    found = run_all([partial(resolve, each) for each in tags], workers=workers, progress=SILENT)
    result: dict[Digest, list[str]] = {}
    for tag, descriptor in zip(tags, found, strict=True):
        if descriptor is not None:
            names = result.setdefault(descriptor.digest, [])
            names += [] if is_own_tag(tag) else [tag]
    return result


class StageWatch:
    """Tells which kits stages hold or held; what was read once is not read again."""

    def __init__(self, store: Store, workers: int) -> None:
        self._store = store
        self._workers = workers
        self._readers: dict[str, RecordReader] = {}
        self.warnings: dict[str, None] = {}

    def find_staged(self) -> dict[Digest, str]:
        """Return those kits as it is now, each with the reason to keep it."""
        staged: dict[Digest, str] = {}
        held: dict[Digest, str] = {}
        for stage in list_stages(self._store):
            reader = self._readers.setdefault(
                stage, RecordReader(self._store, stage, workers=self._workers)
            )
            found, tag = reader.read(), self._store.find_tag(stage)
            self.warnings |= dict.fromkeys(found.problems)
            for each in found.history.records:
                staged.setdefault(each.kit, f"in the history of {stage}")
            for kit in (found.history.kit, tag.digest if tag else None):
                if kit is not None:
                    held[kit] = f"{stage} points at it"
        return {**staged, **held}


def _listed(store: Store) -> Iterable[Descriptor]:
    """Return what a local layout lists, tagged or not; registries cannot tell that."""
    return store.list_manifests() if isinstance(store, LayoutStore) else ()


def _read(store: Store, digests: list[Digest], workers: int) -> dict[Digest, Manifest]:
    def read(digest: Digest, _progress: Progress) -> Manifest | None:
        with suppress(NotFound):
            return store.find_manifest(digest)
        return None

    tasks = [partial(read, each) for each in digests]
    found = run_all(tasks, workers=workers, progress=SILENT)
    pairs = zip(digests, found, strict=True)
    return {digest: each for digest, each in pairs if each is not None and each.subject is None}


def _is_kit(manifest: Manifest) -> bool:
    return isinstance(manifest, ImageManifest) and kit_format(manifest) is not None


def _since(store: Store, manifest: Manifest, seen: datetime) -> datetime:
    """Return since when a kit is there: its file in a layout, else what it says, else `seen`."""
    if isinstance(store, LayoutStore):
        with suppress(OSError):
            return datetime.fromtimestamp(os.stat(store.blob_path(manifest.digest)).st_mtime, UTC)
    with suppress(KitlineError):
        return read_time(manifest.annotations.get(media_types.CREATED, ""))
    return seen


def _note_seen(
    settings: Settings, name: str, digests: Iterable[Digest], now: datetime
) -> dict[Digest, datetime]:
    """Return when each kit was first seen here, which is now if it never was; note that."""
    path = _seen_path(settings, name)
    make_folders(path.parent)
    with locked_folder(path.parent):
        known = _read_seen(path)
        found = {each: known.get(each, now) for each in digests}
        text = json.dumps({str(each): time_text(when) for each, when in sorted(found.items())})
        write_durably(path, text.encode(), temporary=path.with_name("seen.new"))
    return found


def _read_seen(path: Path) -> dict[Digest, datetime]:
    try:
        fields = json.loads(path.read_text())
        return {Digest(digest): read_time(when) for digest, when in fields.items()}
    except (OSError, ValueError, AttributeError, TypeError, KitlineError):
        return {}  # no note, or one that cannot be used: everything is seen for the first time


def _seen_path(settings: Settings, name: str) -> Path:
    return settings.home / "prune" / f"{Digest.of(name.encode()).hex[:32]}.json"
