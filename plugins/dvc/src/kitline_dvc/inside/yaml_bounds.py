"""Bounds of YAML: a small file may not stand for more than a machine can hold, nor nest deeper.

YAML names a part once (`&a`) and again as often as it likes (`*a`), also inside of other named
parts: ten lines of ten names each are ten thousand million values. DVC copies them all.
"""

from __future__ import annotations

import re

_ALIAS = re.compile(r"(?:^|[\s,\[{:?-])\*[^\s,\[\]{}]", re.MULTILINE)
_MOST = 1_000_000
"""Values that aliases may add."""
_DEEPEST = 100
_INDENTED = re.compile(rf"^(?: {{{_DEEPEST}}}|(?:[-?] +){{{_DEEPEST // 2}}})", re.MULTILINE)
"""What cannot be missing where parts stand in parts so deep, unless they stand in brackets."""
_BRACKET = re.compile(r"[\[\]{}]")


def find_excess(text: str) -> str | None:
    """Say what a YAML text has too much of; None if it can be read.

    What is no YAML has nothing too much: whoever reads it says so.
    """
    if not (_ALIAS.search(text) or _INDENTED.search(text) or _has_deep_brackets(text)):
        return None
    from ruamel.yaml import YAML, events
    from ruamel.yaml.error import YAMLError

    sizes: dict[str, int] = {}
    open_parts: list[tuple[str | None, int]] = []
    added = 0
    try:
        for event in YAML(typ="safe").parse(text):
            size = 1
            if isinstance(event, events.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in open_parts):
                    return f"'*{event.anchor}' stands inside of what it names"
                size = sizes.get(event.anchor, 0)
                added += size
                if added > _MOST:
                    return f"its aliases stand for more than {_MOST} values"
            elif isinstance(event, (events.MappingStartEvent, events.SequenceStartEvent)):
                open_parts.append((event.anchor, 1))
                if len(open_parts) > _DEEPEST:
                    return f"it is nested deeper than {_DEEPEST}"
                continue
            elif isinstance(event, (events.MappingEndEvent, events.SequenceEndEvent)):
                anchor, size = open_parts.pop()
                _keep(sizes, anchor, size)
            elif isinstance(event, events.ScalarEvent):
                _keep(sizes, event.anchor, size)
            else:
                continue
            if open_parts:
                anchor, before = open_parts[-1]
                open_parts[-1] = (anchor, before + size)
    except YAMLError:
        return None
    return None


def _has_deep_brackets(text: str) -> bool:
    depth = 0
    for each in _BRACKET.finditer(text):
        depth += 1 if each[0] in "[{" else -1
        if depth > _DEEPEST:
            return True
    return False


def _keep(sizes: dict[str, int], anchor: str | None, size: int) -> None:
    if anchor is not None:
        sizes[anchor] = size
