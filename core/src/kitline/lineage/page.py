"""The lineage as one HTML page that needs nothing else: picture, table, what the answer rests on.

Nothing in it runs and nothing is fetched, whatever names say: all of them are escaped, and the page
forbids both by its content security policy.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kitline.lineage.diagram import is_revoked
from kitline.lineage.svg import draw
from kitline.lineage.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitline.lineage.graph import Lineage, Node

ROWS_LIMIT = 2000
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1c2330; background: #fff; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.picture { overflow: auto; border: 1px solid #d5dae3; border-radius: 8px; background: #fafbfd; }
.state { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; }
.complete { background: #dff3e4; color: #14532d; }
.incomplete { background: #fdf0d5; color: #7a4a00; }
table { border-collapse: collapse; width: 100%; } tr { vertical-align: top; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e6e9ef; }
.legend span { display: inline-block; margin-right: 1.2rem; }
.legend i { display: inline-block; width: 1.1rem; height: .8rem; border: 2px solid #8a94a6;
  margin-right: .4rem; border-radius: 3px; vertical-align: -1px; }
.kit rect { stroke: #8a94a6; stroke-width: 1.5; fill: #f1f3f7; }
.kit text { font: 12.5px system-ui, sans-serif; fill: #3b4454; }
.kit text.name { font-weight: 600; fill: #10151f; }
.model rect { fill: #e3edfd; stroke: #2f6fde; }
.dataset rect { fill: #e2f4e8; stroke: #2b8a4b; }
.missing rect { fill: #fff; stroke: #8a94a6; stroke-dasharray: 6 4; }
.revoked rect { fill: #fde4e4; stroke: #c62828; }
.root rect { stroke-width: 4; }
.legend i.model { background: #e3edfd; border-color: #2f6fde; }
.legend i.dataset { background: #e2f4e8; border-color: #2b8a4b; }
.legend i.missing { border-style: dashed; }
.legend i.revoked { background: #fde4e4; border-color: #c62828; }
.legend i.root { border-width: 4px; border-color: #2f6fde; }
.edge { fill: none; stroke: #5c6675; stroke-width: 1.6; } .claim { stroke-dasharray: 5 4; }
.tip { fill: #5c6675; } td.revoked { color: #b01c1c; font-weight: 600; }
.role { font: 11.5px system-ui, sans-serif; fill: #4a5364; text-anchor: middle; paint-order: stroke;
  stroke: #fafbfd; stroke-width: 4px; }
"""
_LEGEND = (
    ("dataset", "data kit"),
    ("model", "model kit"),
    ("root", "the kit that was asked for"),
    ("revoked", "revoked, or made from a revoked kit"),
    ("missing", "missing"),
)


def render_page(lineage: Lineage) -> str:
    """Return the page."""
    return "\n".join(_page(lineage)) + "\n"


def _page(lineage: Lineage) -> Iterator[str]:
    title = _text(f"Lineage of {lineage.node.title}")
    picture, left_out = draw(lineage)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta http-equiv="Content-Security-Policy"'
    yield " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>"
    yield f"<p><code>{_text(lineage.node.reference or str(lineage.root))}</code></p>"
    yield from _state(lineage)
    yield '<p class="legend">'
    yield from (f'<span><i class="{kind}"></i>{text}</span>' for kind, text in _LEGEND)
    yield "<span>arrows point from what a kit was made from; dashed: only claimed</span></p>"
    yield f'<div class="picture">\n{picture}\n</div>'
    if left_out:
        yield f"<p>{left_out} kits that lie further away are not in the picture.</p>"
    yield from _kits(lineage.nodes)
    yield from _sources(lineage)
    yield "</body>\n</html>"


def _state(lineage: Lineage) -> Iterator[str]:
    word = "complete" if lineage.complete else "incomplete"
    yield f'<p><span class="state {word}">{word}</span></p>'
    if lineage.reasons:
        yield "<ul>"
        yield from (f"<li>{_text(each)}</li>" for each in lineage.reasons)
        yield "</ul>"


def _kits(nodes: tuple[Node, ...]) -> Iterator[str]:
    yield "<h2>Kits</h2>\n<table>"
    yield _row("th", "kit", "type", "created", "stages", "runs", "marks", "pinned reference")
    for each in nodes[:ROWS_LIMIT]:
        marks = [*each.marks, *each.inherited, *(["missing"] if each.is_missing else [])]
        cells = (
            each.title,
            each.type,
            each.created,
            ", ".join(each.stages),
            ", ".join(each.runs),
            ", ".join(marks),
        )
        row = [f"<td>{_text(cell)}</td>" for cell in cells]
        if is_revoked(each):
            row[5] = row[5].replace("<td>", '<td class="revoked">')
        reference = _text(each.reference or str(each.digest))
        yield f"<tr>{''.join(row)}<td><code>{reference}</code></td></tr>"
    yield "</table>"
    if len(nodes) > ROWS_LIMIT:
        yield f"<p>{len(nodes) - ROWS_LIMIT} kits more; the JSON form has all of them.</p>"


def _sources(lineage: Lineage) -> Iterator[str]:
    yield "<h2>What this rests on</h2>\n<table>"
    yield _row("th", "repository", "how", "read at", "problem")
    for each in lineage.rests_on:
        yield _row("td", each.repository, each.how, each.read_at or "", each.problem)
    yield "</table>"


def _row(tag: str, *cells: str) -> str:
    return f"<tr>{''.join(_tagged(tag, cells))}</tr>"


def _tagged(tag: str, cells: Iterable[str]) -> Iterator[str]:
    return (f"<{tag}>{_text(each)}</{tag}>" for each in cells)


def _text(text: str) -> str:
    return escape(clean(text))
