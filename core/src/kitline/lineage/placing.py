"""Placing kits on a plane: columns from parents to children, and few crossings between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.lineage.graph import Lineage
    from kitline.oci.digest import Digest

_SWEEPS = 6


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Which kits are drawn, column by column, and how many are not."""

    columns: tuple[tuple[Digest, ...], ...]
    left_out: int


def place(lineage: Lineage, *, limit: int) -> Placed:
    """Return columns of the `limit` kits that are nearest to the one that was asked for."""
    nearest = _nearest(lineage, limit)
    kept = set(nearest)
    links = [
        (each.parent, each.child)
        for each in lineage.edges
        if each.parent in kept and each.child in kept and each.parent != each.child
    ]
    ranks = _ranks(nearest, links)
    columns: list[list[Digest]] = [[] for _ in range(max(ranks.values()) + 1)]
    for digest in sorted(nearest, key=lambda d: (lineage.by_digest[d].title, d)):
        columns[ranks[digest]].append(digest)
    _untangle(columns, links)
    filled = tuple(tuple(each) for each in columns if each)
    return Placed(columns=filled, left_out=len(lineage.nodes) - len(nearest))


def _nearest(lineage: Lineage, limit: int) -> list[Digest]:
    """Return kits by their distance from the root, whatever the direction."""
    found = {lineage.root: None}
    level = [lineage.root]
    while level and len(found) < limit:
        following = []
        for here in level:
            ends = [each.parent for each in lineage.parents(here)]
            ends += [each.child for each in lineage.children(here)]
            for end in ends:
                if end not in found and len(found) < limit:
                    found[end] = None
                    following.append(end)
        level = following
    return list(found)


def _ranks(
    digests: Sequence[Digest], links: Sequence[tuple[Digest, Digest]]
) -> Mapping[Digest, int]:
    """Return columns: each kit right of all its parents; links that close a circle are ignored."""
    children: dict[Digest, list[Digest]] = {each: [] for each in digests}
    waiting_for = dict.fromkeys(digests, 0)
    for parent, child in links:
        children[parent].append(child)
        waiting_for[child] += 1
    ranks = dict.fromkeys(digests, 0)
    left = set(digests)
    ready = [each for each in digests if not waiting_for[each]]
    while left:
        if not ready:  # only circles are left: cut one open at the kit nearest to the root
            ready = [next(each for each in digests if each in left)]
        here = ready.pop()
        if here not in left:
            continue
        left.remove(here)
        for child in children[here]:
            if child in left:
                ranks[child] = max(ranks[child], ranks[here] + 1)
                waiting_for[child] -= 1
                if not waiting_for[child]:
                    ready.append(child)
    with_parents = {child for _, child in links}
    for each in digests:  # what has no parents stands right before its first child
        following = [ranks[child] for child in children[each]]
        if each not in with_parents and following:
            ranks[each] = max(min(following) - 1, 0)
    return ranks


def _untangle(columns: list[list[Digest]], links: Sequence[tuple[Digest, Digest]]) -> None:
    """Order each column by where the neighbours stand, to and fro."""
    beside: dict[Digest, list[Digest]] = {}
    for parent, child in links:
        beside.setdefault(parent, []).append(child)
        beside.setdefault(child, []).append(parent)
    height = {each: n / len(column) for column in columns for n, each in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {
                each: sum(near) / len(near)
                if (near := [height[other] for other in beside.get(each, ())])
                else height[each]
                for each in column
            }
            column.sort(key=lambda each: wanted[each])
            for n, each in enumerate(column):
                height[each] = (n + 0.5) / len(column)
