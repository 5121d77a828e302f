"""The lineage as an SVG picture: a box for each kit, an arrow from each parent to its child."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kitline.lineage.diagram import is_revoked, label_of
from kitline.lineage.placing import place
from kitline.lineage.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.lineage.graph import Edge, Lineage, Node
    from kitline.oci.digest import Digest

DRAWN_LIMIT = 200
"""Most kits that are drawn: the nearest ones."""
_WIDTH, _GAP, _LINE, _PAD, _SPACE, _MARGIN = 250, 120, 17, 10, 22, 20
_CHARACTERS = 34
_Box = tuple[float, float, float]
"""Left, top and height."""


def draw(lineage: Lineage) -> tuple[str, int]:
    """Return the picture and how many kits are not in it."""
    placed = place(lineage, limit=DRAWN_LIMIT)
    lines = {
        each: [_cut(line) for line in label_of(lineage.by_digest[each])]
        for column in placed.columns
        for each in column
    }
    boxes = _boxes(placed.columns, lines)
    width = max(left for left, _, _ in boxes.values()) + _WIDTH + _MARGIN
    height = max(top + tall for _, top, tall in boxes.values()) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="img" aria-labelledby="picture-title">',
        f'<title id="picture-title">{escape(clean(f"Lineage of {lineage.node.title}"))}</title>',
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path class="tip" d="M0 0L10 5L0 10z"/></marker></defs>',
    ]
    links = [e for e in lineage.edges if e.parent in boxes and e.child in boxes]
    parts += [_arrow(boxes[each.parent], boxes[each.child], each) for each in links]
    for digest, box in boxes.items():
        node = lineage.by_digest[digest]
        parts += _box(node, box, lines[digest], is_root=digest == lineage.root)
    parts += [_role(boxes[each.parent], boxes[each.child], each) for each in links]
    parts.append("</svg>")
    return "\n".join(parts), placed.left_out


def _boxes(
    columns: tuple[tuple[Digest, ...], ...], lines: dict[Digest, list[str]]
) -> dict[Digest, _Box]:
    """Return where each box stands; columns are centred beside each other."""
    tall = {digest: len(found) * _LINE + 2 * _PAD for digest, found in lines.items()}
    totals = [sum(tall[each] + _SPACE for each in column) - _SPACE for column in columns]
    highest = max(totals)
    found: dict[Digest, _Box] = {}
    for number, (column, total) in enumerate(zip(columns, totals, strict=True)):
        top = _MARGIN + (highest - total) / 2
        for each in column:
            found[each] = (_MARGIN + number * (_WIDTH + _GAP), top, tall[each])
            top += tall[each] + _SPACE
    return found


def _box(node: Node, box: _Box, lines: list[str], *, is_root: bool) -> Iterator[str]:
    left, top, tall = box
    kinds = [node.type if node.type in ("model", "dataset") else "other"]
    kinds += ["root"] if is_root else []
    kinds += ["missing"] if node.is_missing else []
    kinds += ["revoked"] if is_revoked(node) else []
    yield f'<g class="kit {" ".join(kinds)}">'
    yield f"<title>{escape(clean(node.reference or str(node.digest)))}</title>"
    yield f'<rect x="{left:.0f}" y="{top:.1f}" width="{_WIDTH}" height="{tall:.0f}" rx="8"/>'
    for number, line in enumerate(lines):
        height = top + _PAD + (number + 0.75) * _LINE
        weight = ' class="name"' if number == 0 else ""
        yield f'<text x="{left + _PAD:.0f}" y="{height:.1f}"{weight}>{escape(line)}</text>'
    yield "</g>"


def _ends(parent: _Box, child: _Box) -> tuple[float, float, float, float]:
    """Return where an arrow begins and ends; one that goes back leaves and arrives below."""
    if parent[0] < child[0]:
        return parent[0] + _WIDTH, parent[1] + parent[2] / 2, child[0], child[1] + child[2] / 2
    return parent[0] + _WIDTH / 2, parent[1] + parent[2], child[0] + _WIDTH / 2, child[1] + child[2]


def _arrow(parent: _Box, child: _Box, edge: Edge) -> str:
    x1, y1, x2, y2 = _ends(parent, child)
    if parent[0] < child[0]:
        bend = max((x2 - x1) / 2, 40)
        points = [(x1, y1), (x1 + bend, y1), (x2 - bend, y2), (x2, y2)]
    else:
        low = max(y1, y2) + 40
        points = [(x1, y1), (x1, low), (x2, low), (x2, y2)]
    start, *rest = [f"{x:.0f} {y:.1f}" for x, y in points]
    path = f"M{start}C{' '.join(rest)}"
    kind = " claim" if edge.is_claim else ""
    return f'<path class="edge{kind}" d="{path}" marker-end="url(#arrow)"/>'


def _role(parent: _Box, child: _Box, edge: Edge) -> str:
    x1, y1, x2, y2 = _ends(parent, child)
    near = 0.5 if x2 - x1 < 2 * _GAP else 1 - _GAP / (2 * (x2 - x1))
    x, y = x1 + (x2 - x1) * near, (y1 + y2) / 2 if near == 0.5 else y2
    text = escape(_cut(clean(edge.role or "parent"), 14))
    return f'<text class="role" x="{x:.0f}" y="{y - 5:.1f}">{text}</text>'


def _cut(text: str, limit: int = _CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
