"""Tables for notebooks: plain HTML, without scripts, and everything from outside escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CELL_LIMIT = 500
"""Most characters of one cell."""


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return a table; `caption` is its title."""
    title = f"<caption>{_text(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{_text(each)}</th>" for each in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    shown = f"<thead><tr>{head}</tr></thead>" if headings else ""
    return f"<table>{title}{shown}<tbody>{body}</tbody></table>"


def html_card(title: str, fields: Iterable[tuple[str, object]]) -> str:
    """Return a card: a title and named facts, those that are empty left out."""
    return html_table((), [each for each in fields if each[1] not in ("", None)], title)


def _text(value: object) -> str:
    text = str(value)
    shown = text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - 1] + "…"
    return escape("".join(each if each.isprintable() else " " for each in shown))
