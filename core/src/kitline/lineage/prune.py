"""Choosing and marking kits of a lineage: by type, and by what their ancestors are marked with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.lineage.graph import Edge, Lineage, Node
    from kitline.oci.digest import Digest

REVOKED = "revoked"


def keep_type(found: Lineage, kind: str) -> Lineage:
    """Keep kits of a type, the kit that was asked for, and what lies on the way to them."""
    wanted = {each.digest for each in found.nodes if each.type == kind} | {found.root}
    on_the_way = _reachable(found, found.root, up=True, towards=wanted)
    on_the_way |= _reachable(found, found.root, up=False, towards=wanted)
    nodes = tuple(each for each in found.nodes if each.digest in wanted | on_the_way)
    kept = {each.digest for each in nodes}
    edges = tuple(each for each in found.edges if each.child in kept and each.parent in kept)
    return replace(found, nodes=nodes, edges=edges)


def _reachable(found: Lineage, root: Digest, *, up: bool, towards: set[Digest]) -> set[Digest]:
    """Return what is between the root and what is wanted, in one direction."""
    nearer: dict[Digest, set[Digest]] = {}
    waiting = [root]
    seen = {root}
    while waiting:
        here = waiting.pop()
        ends = (
            [each.parent for each in found.parents(here)]
            if up
            else [each.child for each in found.children(here)]
        )
        for end in ends:
            nearer.setdefault(end, set()).add(here)
            if end not in seen:
                seen.add(end)
                waiting.append(end)
    kept: set[Digest] = set()
    back = [each for each in towards if each in seen]
    while back:
        here = back.pop()
        for each in nearer.get(here, ()):
            if each not in kept:
                kept.add(each)
                back.append(each)
    return kept


def inherit_marks(nodes: Sequence[Node], edges: Iterable[Edge]) -> list[Node]:
    """Mark what descends from a revoked kit; classifications stay with the kit itself."""
    revoked = [(each, mark) for each in nodes for mark in each.marks if mark.startswith(REVOKED)]
    if not revoked:
        return list(nodes)
    children: dict[Digest, list[Digest]] = {}
    for edge in edges:
        children.setdefault(edge.parent, []).append(edge.child)
    inherited: dict[Digest, list[str]] = {}
    for node, mark in revoked:
        text = f"made from {node.title}, {mark}"
        waiting, seen = [node.digest], {node.digest}
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    inherited.setdefault(child, []).append(text)
    return [
        each._replace(inherited=tuple(inherited[each.digest])) if each.digest in inherited else each
        for each in nodes
    ]
