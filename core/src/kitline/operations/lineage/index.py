"""The lineage index, kept in step: local repositories by themselves, registries when asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from kitline.errors import IndexDamaged, KitlineError, StoreError, UsageError
from kitline.frozen import dataclass
from kitline.lineage.index import LineageIndex
from kitline.oci.reference import LayoutReference, Reference, parse_reference
from kitline.operations.defaults import settings_or_default
from kitline.operations.lineage.edges import edge_repository
from kitline.operations.lineage.scan import (
    LOCAL,
    is_local,
    layout_state,
    scan_layout,
    scan_registry,
)
from kitline.operations.stages.pattern import find_repositories, is_pattern, registry_of
from kitline.operations.stores import Stores
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kitline.operations.settings import Settings
    from kitline.store.layout import LayoutStore
    from kitline.store.progress import Progress

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """A repository that was read into the index, or why it was not."""

    repository: str
    manifests: int = 0
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "repository": self.repository.removeprefix(LOCAL),
            "manifests": self.manifests,
            "problem": self.problem or None,
        }


def index_lineage(
    repositories: Iterable[str] = (),
    *,
    anew: bool = False,
    settings: Settings | None = None,
    progress: Progress = SILENT,
) -> list[Indexed]:
    """Read repositories into the lineage index: those given, those of the settings, the local ones.

    `REGISTRY/team/*` means every repository of that name that the registry says to hold now.
    Only what is new is read; with `anew` the index is emptied first. A repository that was given
    once is read again each time. One that cannot be read does not keep the others away.

    Raises:
        UsageError: if one of `repositories` is not the name of a repository in a registry, nor a
            pattern of them.
        RegistryError: if a pattern is given, and the registry does not tell what it holds.
    """
    settings, repositories = settings_or_default(settings), list(repositories)
    return answer(lambda: _index(repositories, anew, settings, progress))


def _index(
    repositories: list[str], anew: bool, settings: Settings, progress: Progress
) -> list[Indexed]:
    with Stores(settings) as stores, open_index(settings) as index:
        given = [name for each in repositories for name in _repositories(stores, each)]
        named = [*given, *configured(settings)]
        named += [each.name for each in index.repositories() if not is_local(each.name)]
        if anew:
            with index.writing():
                for each in index.repositories():
                    index.forget(each.name)
        outcomes = refresh_local(index, stores, everything=True)
        for name in dict.fromkeys(named):
            outcomes.append(_scan(index, stores, name, progress))
        return outcomes


def open_index(settings: Settings) -> LineageIndex:
    """Open the index; one in memory where none can be written, which is filled for this answer."""
    try:
        return LineageIndex(settings.lineage_file)
    except StoreError as cause:
        _log.warning("%s; the answer takes longer without it", cause)
        return LineageIndex(None)


def answer(ask: Callable[[], Answer]) -> Answer:
    """Return an answer from the index; if that turns out to be damaged, from one made anew."""
    try:
        return ask()
    except IndexDamaged as damage:
        _log.info("%s", damage)
        return ask()


def configured(settings: Settings) -> list[str]:
    """Return the repositories that a complete answer rests on."""
    edges = edge_repository(settings)
    return [*settings.lineage, *([edges.name] if edges is not None else [])]


def refresh_local(
    index: LineageIndex, stores: Stores, *, everything: bool = False
) -> list[Indexed]:
    """Read what has changed in the local store since; return those repositories, or all."""
    known = {each.name: each for each in index.repositories()}
    present = {f"{LOCAL}{name}": folder for name, folder in stores.local.folders()}
    outcomes = []
    for name, folder in present.items():
        state = known.get(name)
        if state is None or state.state != layout_state(folder) or state.problem or everything:
            store = stores.local.open(name.removeprefix(LOCAL))
            outcomes.append(_scan_layout(index, store, name))
    for name in known.keys() - present.keys():
        if name.startswith(LOCAL) or (is_local(name) and not _is_there(name)):
            with index.writing():
                index.forget(name)
    return outcomes


def scan_named_layout(index: LineageIndex, stores: Stores, reference: LayoutReference) -> Indexed:
    """Read a layout that is not part of the local store."""
    from kitline.store.layout_reading import LayoutReader

    store = stores.open(reference)
    assert isinstance(store, LayoutReader)
    return _scan_layout(index, store, reference.name)  # type: ignore[arg-type]


def _is_there(name: str) -> bool:
    found = parse_reference(name)
    return isinstance(found, LayoutReference) and found.path.exists()


def _scan_layout(index: LineageIndex, store: LayoutStore, name: str) -> Indexed:
    try:
        return Indexed(repository=name, manifests=scan_layout(index, store, name))
    except KitlineError as cause:
        return _failed(index, name, cause)


def _scan(index: LineageIndex, stores: Stores, name: str, progress: Progress) -> Indexed:
    workers = stores.settings.concurrency
    try:
        store = stores.open(Reference.parse(name))
        count = scan_registry(index, store, name, workers=workers, progress=progress)
    except KitlineError as cause:
        return _failed(index, name, cause)
    return Indexed(repository=name, manifests=count)


def _failed(index: LineageIndex, name: str, cause: KitlineError) -> Indexed:
    with index.writing():
        index.note_state(name, state="", read_at=None, problem=str(cause))
    return Indexed(repository=name, problem=str(cause))


def _repositories(stores: Stores, text: str) -> list[str]:
    if is_pattern(text) and registry_of(text) is not None:
        return [each.name for each in find_repositories(stores, text)]
    found = None if is_pattern(text) else parse_reference(text)
    if not isinstance(found, Reference) or found.is_bare or found.tag or found.digest:
        raise UsageError(
            f"cannot index {text!r}: write 'REGISTRY/REPOSITORY' or 'REGISTRY/team/*'; the local"
            " store is always read"
        )
    return [found.name]
