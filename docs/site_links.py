"""A hook of mkdocs: links to what lies outside docs/, and so in no site, become plain words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).parent.resolve()
LINK = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<path>(?!https?:|#)[^)#\s]+)[^)]*\)")
COMMENT = re.compile(r"<!-- (?:before|before python|not run|exit):.*?-->\n*", re.DOTALL)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Return the page's text as the site shows it."""
    folder = (DOCS / page.file.src_path).parent

    def replace(found: re.Match[str]) -> str:
        target = (folder / found["path"]).resolve()
        if target.is_relative_to(DOCS) and target.suffix != ".py" and not target.is_dir():
            return found[0]
        return found["words"]

    return COMMENT.sub("", LINK.sub(replace, markdown))
