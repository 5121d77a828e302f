"""Rendering: a lineage in each of the formats, through one door."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline.lineage.graph import Lineage


def render(lineage: Lineage, format: str) -> str:
    """Return a lineage in a format of `graph.FORMATS`."""
    if format == "json":
        return json.dumps(lineage.to_json(), indent=2)
    if format == "text":
        from kitline.lineage.text import render_text

        return render_text(lineage)
    if format == "mermaid":
        from kitline.lineage.diagram import render_mermaid

        return render_mermaid(lineage)
    if format == "dot":
        from kitline.lineage.diagram import render_dot

        return render_dot(lineage)
    if format == "openlineage":
        from kitline.lineage.openlineage import render_openlineage

        return render_openlineage(lineage)
    from kitline.lineage.page import render_page

    return render_page(lineage)
