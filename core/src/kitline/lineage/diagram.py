"""The lineage as a diagram in words: Mermaid for Markdown, DOT for Graphviz.

Arrows point at children. What comes from outside is quoted, so that no name adds to the diagram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.lineage.text import clean

if TYPE_CHECKING:
    from kitline.lineage.graph import Lineage, Node
    from kitline.oci.digest import Digest

LABEL_LIMIT = 60
_MERMAID = {"model": ('(["', '"])'), "dataset": ('[("', '")]')}
_DOT = {"model": "box", "dataset": "cylinder"}


def render_mermaid(lineage: Lineage) -> str:
    """Return a Mermaid flowchart."""
    names = _names(lineage)
    lines = ["flowchart LR"]
    for each in lineage.nodes:
        start, end = _MERMAID.get(each.type, ('["', '"]'))
        label = "<br/>".join(_mermaid(line) for line in label_of(each))
        lines.append(f"  {names[each.digest]}{start}{label}{end}")
    for edge in lineage.edges:
        arrow = "-.->" if edge.is_claim else "-->"
        role = _mermaid(edge.role or "parent")
        lines.append(f'  {names[edge.parent]} {arrow}|"{role}"| {names[edge.child]}')
    lines.append(f"  style {names[lineage.root]} stroke-width:4px")
    for each in lineage.nodes:
        if each.is_missing:
            lines.append(f"  style {names[each.digest]} stroke-dasharray:5")
        if is_revoked(each):
            lines.append(f"  style {names[each.digest]} stroke:#c00")
    if not lineage.complete:
        lines += [f"  %% incomplete: {_mermaid(each)}" for each in lineage.reasons]
    return "\n".join(lines)


def render_dot(lineage: Lineage) -> str:
    """Return a graph in Graphviz's language."""
    names = _names(lineage)
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    for each in lineage.nodes:
        style = ["bold"] if each.digest == lineage.root else []
        style += ["dashed"] if each.is_missing else []
        looks = f'shape={_DOT.get(each.type, "ellipse")} label="{_dot(label_of(each))}"'
        looks += f' style="{",".join(style)}"' if style else ""
        looks += ' color="#cc0000"' if is_revoked(each) else ""
        lines.append(f"  {names[each.digest]} [{looks}];")
    for edge in lineage.edges:
        style_text = ' style="dashed"' if edge.is_claim else ""
        role = _dot([edge.role or "parent"])
        lines.append(f'  {names[edge.parent]} -> {names[edge.child]} [label="{role}"{style_text}];')
    if not lineage.complete:
        lines += [f"  // incomplete: {clean(each)}" for each in lineage.reasons]
    lines.append("}")
    return "\n".join(lines)


def label_of(node: Node) -> list[str]:
    """Return the lines on a kit's box."""
    lines = [node.title, node.short]
    if node.stages:
        lines.append(", ".join(each.rpartition(":")[2] for each in node.stages))
    if node.runs:
        lines.append(node.runs[0])
    lines += [*node.marks, *(["made from a revoked kit"] if node.inherited else [])]
    if node.is_missing:
        lines = [node.short, "missing"]
    return [_cut(clean(each)) for each in dict.fromkeys(lines)]


def is_revoked(node: Node) -> bool:
    """Tell whether a kit is revoked, or made from one that is."""
    return bool(node.inherited) or any(each.startswith("revoked") for each in node.marks)


def _names(lineage: Lineage) -> dict[Digest, str]:
    return {each.digest: f"k{number}" for number, each in enumerate(lineage.nodes)}


def _cut(text: str) -> str:
    return text if len(text) <= LABEL_LIMIT else text[: LABEL_LIMIT - 1] + "…"


def _mermaid(text: str) -> str:
    """Write every character that means something to Mermaid or HTML as an entity."""
    return "".join(
        each if each.isalnum() or each in " ._-/@," else f"#{ord(each)};" for each in clean(text)
    )


def _dot(lines: list[str]) -> str:
    return "\\n".join(each.replace("\\", "\\\\").replace('"', '\\"') for each in map(clean, lines))
