"""The lineage as a tree for terminals: what a kit was made from, and what was made from it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.lineage.graph import Edge, Lineage, Node
    from kitline.oci.digest import Digest

LINE_LIMIT = 5000
"""Most lines of one direction: a graph can hold more ways through it than anybody reads."""
INDENT_LIMIT = 300
"""Most characters that a line of a very long chain is indented by."""
_TITLES = {"up": "made from", "down": "what was made from it"}


def render_text(lineage: Lineage) -> str:
    """Return two trees below the kit that was asked for, and what the answer rests on."""
    lines = [describe(lineage.node)]
    for direction in lineage.directions:
        lines.append(f"{_TITLES[direction]}:")
        found = list(islice(_tree(lineage, direction), LINE_LIMIT + 1))
        lines += found[:LINE_LIMIT] or ["  nothing that is known"]
        if len(found) > LINE_LIMIT:
            lines.append(f"  … more than {LINE_LIMIT} lines; '--json' has all of it")
    lines.append("complete" if lineage.complete else "incomplete:")
    lines += [f"  {clean(each)}" for each in lineage.reasons]
    if lineage.rests_on:
        lines.append("rests on:")
        for each in lineage.rests_on:
            told = [each.how, each.read_at or "", each.problem]
            lines.append(f"  {clean(each.repository)} ({clean(', '.join(filter(None, told)))})")
    return "\n".join(lines)


def _tree(lineage: Lineage, direction: str) -> Iterator[str]:
    """Yield the lines of a tree; a kit that was shown is not unfolded again."""
    shown: set[Digest] = {lineage.root}
    path: dict[Digest, None] = {lineage.root: None}  # in order; chains may be very long
    # the edges that are left at each depth; no recursion, since the depth comes from outside
    stack: list[tuple[str, list[Edge]]] = [("  ", _edges(lineage, lineage.root, direction))]
    while stack:
        indent, left = stack[-1]
        if not left:
            stack.pop()
            path.popitem()
            continue
        edge = left.pop(0)
        here = edge.parent if direction == "up" else edge.child
        node = lineage.by_digest[here]
        is_last = not left
        line = f"{indent}{'└─' if is_last else '├─'} {_role(edge)}{describe(node)}"
        if here in path:
            yield f"{line} (a circle: it is above)"
            continue
        below = _edges(lineage, here, direction)
        if here in shown and below:
            yield f"{line} (unfolded above)"
            continue
        yield line
        shown.add(here)
        path[here] = None
        deeper = indent + ("   " if is_last else "│  ")
        stack.append((deeper[-INDENT_LIMIT:], below))


def _edges(lineage: Lineage, digest: Digest, direction: str) -> list[Edge]:
    found = lineage.parents(digest) if direction == "up" else lineage.children(digest)
    return list(found)


def _role(edge: Edge) -> str:
    claim = " (claimed)" if edge.is_claim else ""
    return f"[{clean(edge.role) or 'parent'}]{claim} "


def describe(node: Node) -> str:
    """Return a kit in one line: what it is called, where it lies, who made it."""
    if node.is_missing:
        return f"{node.digest} (missing: found nowhere)"
    facts = [
        node.type,
        node.created,
        ", ".join(_stage(each) for each in node.stages),
        ", ".join(node.runs[:3]) + (", …" if len(node.runs) > 3 else ""),
        *(each.upper() if each == "revoked" else each for each in node.marks),
        *node.inherited,
    ]
    where = f" · {node.reference}" if node.title != node.reference else ""
    told = ", ".join(each for each in facts if each)
    return clean(f"{node.title}{where}" + (f" ({told})" if told else ""))


def _stage(text: str) -> str:
    return f"stage {text.rpartition(':')[2]}"


def clean(text: str) -> str:
    """Return text from outside in one line, without what could steer a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
