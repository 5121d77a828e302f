"""Entry points: what installed distributions offer kitline, without reading what others offer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.stand_in import standing_in

with standing_in("csv"), standing_in("zipfile"):  # for lists of files, and for zipped libraries
    from importlib.metadata import distributions

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def find_entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, of each distribution once: the first on the path.

    `importlib.metadata.entry_points` makes objects of all entry points of all distributions, which
    takes several times as long where hundreds are installed.
    """
    found: dict[str, list[EntryPoint]] = {}
    for distribution in distributions():
        text = distribution.read_text("entry_points.txt")
        if not text or group not in text:
            continue
        if offered := [each for each in distribution.entry_points if each.group == group]:
            name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
            found.setdefault(name, offered)
    return [entry for entries in found.values() for entry in entries]
