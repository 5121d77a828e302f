"""Scanning: repositories are read into the lineage index; what was read before is not read again.

A manifest never changes its meaning, so only new ones are read; what is gone is forgotten.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.facts import KitFacts
from kitline.oci.digest import Digest
from kitline.operations.lineage.read import find_readable, read_record
from kitline.promotion.names import CUSTOMARY, find_record_tag
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kitline.lineage.index import LineageIndex, Record
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import Store
    from kitline.store.layout import LayoutStore
    from kitline.store.progress import Progress

LOCAL = "local:"
"""What the names of local repositories begin with in the index, apart from registries' own."""
_OWN = re.compile(r"[0-9a-f]{32}\.(?P<kind>[a-z-]+)-(?P<hex>[0-9a-f]{16})\Z")
_KEEP = re.compile(r"kit-(?P<hex>[0-9a-f]{32})\Z")
_HELPER = re.compile(r"sha(?:256|512)-(?P<hex>[0-9a-f]+)")


def is_local(name: str) -> bool:
    """Tell whether a name of the index is that of a layout on this machine."""
    return name.startswith((LOCAL, "oci:", "oci-archive:"))


def now() -> str:
    """Return the time as the index notes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def scan_layout(index: LineageIndex, store: LayoutStore, name: str) -> int:
    """Read what is new in a layout; return the number of its manifests."""
    state = layout_state(store.folder)
    entries = store.read_index().entries
    listed = {str(each.descriptor.digest): each.descriptor for each in entries}
    for each in list(listed.values()):
        listed |= {str(part.digest): part for part in store.find_parts(each)}
    known = index.known(name)
    records = (_read_listed(store, each) for digest, each in listed.items() if digest not in known)
    found = [each for each in records if each is not None]
    tags = {each.tag: each.descriptor.digest for each in entries if each.tag is not None}
    with index.writing():
        index.drop(name, known - listed.keys())
        index.add(name, found)
        index.set_tags(name, _shown(tags), _stages(tags))
        index.note_state(name, state=state, read_at=now())
    return len(listed)


def layout_state(folder: Path) -> str:
    """Return what changes when a layout's index does."""
    try:
        status = (folder / "index.json").stat()
    except OSError:
        return ""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _read_listed(store: LayoutStore, descriptor: Descriptor) -> Record | None:
    try:
        return read_record(store, store.read_manifest(descriptor))
    except KitlineError:  # broken: it tells nothing, and hides nothing else
        return None


def scan_registry(
    index: LineageIndex, store: Store, name: str, *, workers: int, progress: Progress = SILENT
) -> int:
    """Read what is new in a repository of a registry; return the number of its manifests.

    Costs one listing, one HEAD for each tag that people set, one GET for each new manifest, and
    where there is the referrers API, one look at it for each kit.

    Raises:
        StoreError: if it cannot be read; nothing is changed in the index then.
    """
    tags = list(store.list_tags())
    known = index.known(name)
    short = {digest.partition(":")[2][:16]: digest for digest in known}
    pointed = _resolve(store, [each for each in tags if not _is_own(each)], workers, progress)
    wanted: dict[str, Digest] = {str(each): each for each in pointed.values()}
    present = set(wanted)
    unread = []
    for tag in tags:
        matched = _OWN.match(tag) or _KEEP.match(tag)
        if matched is None:
            continue
        digest = short.get(matched["hex"][:16])
        if digest is None:
            unread.append(tag)
        else:
            present.add(digest)
    wanted |= {str(each): each for each in _resolve(store, unread, workers, progress).values()}
    records = _read_new(store, wanted, known, workers, progress)
    kits = [each.digest for each in records if isinstance(each.facts, KitFacts)]
    kits += [wanted[text] for text in wanted.keys() & known]
    attached = _attached(store, kits, tags, workers, progress)
    records += _read_new(store, attached, known | wanted.keys(), workers, progress)
    present |= wanted.keys() | attached.keys()
    gone = _gone(store, known - present, workers, progress)
    with index.writing():
        index.drop(name, gone)
        index.add(name, records)
        index.drop_notes(name)
        index.set_tags(name, _shown(pointed), _stages([*pointed, *tags]))
        index.note_state(name, state="", read_at=now())
    return len(present | known) - len(gone)


def _is_own(tag: str) -> bool:
    return bool(_OWN.match(tag) or _KEEP.match(tag) or _HELPER.match(tag) or find_record_tag(tag))


def _resolve(
    store: Store, tags: Iterable[str], workers: int, progress: Progress
) -> dict[str, Digest]:
    def resolve(tag: str, _progress: Progress) -> tuple[str, Descriptor | None]:
        return tag, store.find_tag(tag)

    pairs = run_all([partial(resolve, each) for each in tags], workers=workers, progress=progress)
    return {tag: found.digest for tag, found in pairs if found is not None}


def _read_new(
    store: Store,
    wanted: dict[str, Digest],
    known: Iterable[str],
    workers: int,
    progress: Progress,
) -> list[Record]:
    def read(digest: Digest, _progress: Progress) -> Record | None:
        manifest = find_readable(store, digest)
        return None if manifest is None else read_record(store, manifest)

    before = set(known)
    tasks = [partial(read, each) for text, each in wanted.items() if text not in before]
    found = run_all(tasks, workers=workers, progress=progress)
    return [each for each in found if each is not None]


def _attached(
    store: Store, kits: list[Digest], tags: list[str], workers: int, progress: Progress
) -> dict[str, Digest]:
    """Return referrers without tags of their own, which other tools wrote.

    They are in the referrers API, or in a fallback index.
    """
    helped = {helper["hex"] for each in tags if (helper := _HELPER.match(each))}
    found: dict[str, Digest] = {}

    def ask(kit: Digest, _progress: Progress) -> list[Digest]:
        return [each.digest for each in store.list_referrers(kit)]

    def ask_api(kit: Digest, _progress: Progress) -> list[Digest]:
        return _list_api(store, kit) or []

    has_api = bool(kits) and _list_api(store, kits[0]) is not None
    tasks = [partial(ask_api, each) for each in kits] if has_api else []
    tasks += [partial(ask, each) for each in kits if each.hex in helped]
    for several in run_all(tasks, workers=workers, progress=progress):
        found |= {str(each): each for each in several}
    return found


def _list_api(store: Store, kit: Digest) -> list[Digest] | None:
    """Return what the referrers API lists; None where there is none."""
    from kitline.store.registry import RegistryStore
    from kitline.store.registry.referrer_entries import read_digests
    from kitline.store.registry.referrers import list_api_entries

    assert isinstance(store, RegistryStore)
    listed = list_api_entries(store.client, kit)
    return None if listed is None else read_digests(listed, about=kit)


def _gone(store: Store, missing: Iterable[str], workers: int, progress: Progress) -> list[str]:
    """Return those that really are not there: what no tag names may still lie there."""

    def look(text: str, _progress: Progress) -> str | None:
        return None if find_readable(store, Digest(text)) is not None else text

    found = run_all([partial(look, each) for each in missing], workers=workers, progress=progress)
    return [each for each in found if each is not None]


def _shown(tags: Mapping[str, Digest]) -> dict[str, Digest]:
    """Leave out the tags that kits, referrers and records keep for themselves."""
    return {tag: digest for tag, digest in tags.items() if not _is_own(tag)}


def _stages(tags: Iterable[str]) -> set[str]:
    """Return which tags stages move: those with records, and the customary ones."""
    return {found.stage for each in tags if (found := find_record_tag(each))} | set(CUSTOMARY)
