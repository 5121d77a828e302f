"""Lineage: what a kit was made from and what was made from it, with what the answer rests on.

Steps: (1) see what has changed in the local store, (2) resolve the name once, (3) read the kit and
what is said of it, (4) climb to parents that were not read yet, (5) list the edges beside the kit
and beside what they lead to, (6) answer from the index, which by now knows all of it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kitline.errors import RegistryUnreachable, StoreError
from kitline.lineage.graph import Lineage, Source
from kitline.lineage.prune import inherit_marks, keep_type
from kitline.lineage.query import (
    clear_closure,
    find_places,
    read_graph,
    select_closure,
)
from kitline.oci.digest import Digest
from kitline.oci.reference import LayoutReference, Reference
from kitline.operations.defaults import settings_or_default
from kitline.operations.lineage.index import (
    answer,
    configured,
    open_index,
    refresh_local,
    scan_named_layout,
)
from kitline.operations.lineage.scan import LOCAL, is_local
from kitline.operations.lineage.search import KitSearch
from kitline.operations.lineage.walk import Walk
from kitline.operations.stores import Stores, find_manifest, read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.lineage.graph import Node
    from kitline.lineage.index import LineageIndex
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference


def trace_lineage(
    reference: str | AnyReference,
    *,
    up: bool = True,
    down: bool = True,
    depth: int | None = None,
    kind: str | None = None,
    settings: Settings | None = None,
) -> Lineage:
    """Return what a kit was made from (`up`) and what was made from it (`down`).

    `depth` counts steps from the kit; `kind`, such as `dataset` or `model`, keeps kits of that type
    and those on the way to them. Kits that are missing and circles are shown and no error.

    Raises:
        NotFound: if there is no such kit, and the index knows none.
    """
    settings, asked = settings_or_default(settings), read_reference(reference)

    def ask() -> Lineage:
        with (
            Stores(settings) as stores,
            open_index(settings) as index,
            KitSearch(stores, index) as search,
        ):
            return _Trace(stores, index, search, depth=depth).run(asked, up=up, down=down)

    found = answer(ask)
    return found if kind is None else keep_type(found, kind)


class _Trace:
    """One question under way."""

    def __init__(
        self, stores: Stores, index: LineageIndex, search: KitSearch, *, depth: int | None
    ) -> None:
        self._stores = stores
        self._settings = stores.settings
        self._index = index
        self._search = search
        self._depth = depth
        self._local_problems: list[str] = []
        self._warnings: list[str] = []

    def run(self, asked: AnyReference, *, up: bool, down: bool) -> Lineage:
        changed = refresh_local(self._index, self._stores)  # 1
        self._local_problems = [
            f"{each.repository.removeprefix(LOCAL)!r} cannot be read: {each.problem}"
            for each in changed
            if each.problem
        ]
        root, place = self._resolve(asked)  # 2
        walk = Walk(self._stores, self._index, self._search, depth=self._depth)
        if place is not None:
            walk.read_root(root, place)  # 3
        if up:
            walk.climb(root)  # 4
        if down:
            walk.descend(root)  # 5
        return self._answer(root, walk, up=up, down=down)  # 6

    def _resolve(self, asked: AnyReference) -> tuple[Digest, str | None]:
        """Return the digest, and the repository in a registry that can be asked about it."""
        if isinstance(asked, LayoutReference):
            scan_named_layout(self._index, self._stores, asked)
            return find_manifest(self._stores.open(asked), asked).digest, None
        if asked.is_bare:
            return self._resolve_local(asked), None
        try:
            return find_manifest(self._stores.open(asked), asked).digest, asked.name
        except (RegistryUnreachable, StoreError) as cause:
            digest = asked.digest or self._tagged(asked)
            if digest is None or not find_places(self._index, digest):
                raise
            self._search.refuse(asked.name, cause)
            self._warnings.append(f"{asked.name} was not asked, so this is what is known: {cause}")
            return digest, None

    def _resolve_local(self, asked: Reference) -> Digest:
        """Look a bare name up in the index, which is in step; else the store says what is wrong."""
        name = f"{LOCAL}{asked.name}"
        if asked.digest is not None and name in find_places(self._index, asked.digest):
            return asked.digest
        found = self._index.find_tag(name, asked.tag) if asked.tag and not asked.digest else None
        return Digest(found) if found else find_manifest(self._stores.open(asked), asked).digest

    def _tagged(self, asked: Reference) -> Digest | None:
        found = self._index.find_tag(asked.name, asked.tag) if asked.tag else None
        return Digest(found) if found else None

    def _answer(self, root: Digest, walk: Walk, *, up: bool, down: bool) -> Lineage:
        directions = [word for word, wanted in (("up", up), ("down", down)) if wanted]
        if directions != ["up"] or not walk.has_climbed:  # else it is selected
            clear_closure(self._index)
            select_closure(self._index, [root], "up", 0)
            for each in directions:
                select_closure(self._index, [root], each, self._depth)
        nodes, edges = read_graph(self._index)
        first = bisect_left(nodes, root.text, key=lambda each: each.digest.text)
        nodes.insert(0, nodes.pop(first))
        reasons = [*self._reasons(root, nodes, walk, down=down)]
        return Lineage(
            root=root,
            nodes=tuple(inherit_marks(nodes, edges)),
            edges=tuple(edges),
            complete=not reasons,
            rests_on=tuple(self._sources(walk)),
            reasons=tuple(reasons),
            directions=tuple(directions),
            depth=self._depth,
            warnings=tuple(self._warnings),
        )

    def _sources(self, walk: Walk) -> Iterator[Source]:
        known = {each.name: each for each in self._index.repositories()}
        local = [each for each in known.values() if each.name.startswith(LOCAL)]
        if local:
            times = [each.read_at for each in local if each.read_at]
            count = (
                f"local store ({len(local)} {'repository' if len(local) == 1 else 'repositories'})"
            )
            yield Source(repository=count, how="index", read_at=min(times, default=None))
        read = {e.name for e in known.values() if e.read_at and not e.name.startswith(LOCAL)}
        asked = walk.asked | self._search.asked
        for name in sorted(
            read | asked | set(self._search.refused) | set(configured(self._settings))
        ):
            state = known.get(name)
            problem = self._search.refused.get(name) or (state.problem if state else "")
            how = "refused" if problem else "live" if name in asked else "index"
            read_at = state.read_at if state else None
            if not problem and name not in asked and read_at is None:
                how, problem = "refused", "it was never read"
            yield Source(repository=name, how=how, read_at=read_at, problem=problem)

    def _reasons(self, root: Digest, nodes: list[Node], walk: Walk, *, down: bool) -> Iterator[str]:
        """Yield why the answer may lack something."""
        yield from self._local_problems
        if missing := [each for each in nodes if each.is_missing]:
            shown = ", ".join(each.short for each in missing[:3])
            yield f"{len(missing)} of {len(nodes)} kits were not found anywhere, such as {shown}"
        for name, problem in sorted(self._search.refused.items()):
            yield f"{name.removeprefix(LOCAL)} could not be read: {problem}"
        yield from walk.left_out
        if down:
            yield from self._unread(root)

    def _unread(self, root: Digest) -> Iterator[str]:
        wanted = configured(self._settings)
        known = {each.name: each for each in self._index.repositories()}
        advice = "run 'kitline lineage index'"
        for name in wanted:
            state = known.get(name)
            if state is None or state.read_at is None:
                yield f"{name} was not read; {advice}"
            elif state.problem:
                yield f"{name} could not be read lately: {state.problem}"
        remote = [each for each in find_places(self._index, root) if not is_local(each)]
        if not wanted and remote:
            yield (
                "only edges beside the kit and what this machine read are known of registries;"
                f" name repositories in KITLINE_LINEAGE and {advice}"
            )
