"""Filters: which parts of a kit are unpacked, in the words of `kit unpack --filter`.

`DRAWER[,DRAWER…][:NAME-OR-PATH[,…]]`; several filters add up. Unlike kit, which compares with the
path as spelled in the Kitfile only, `code:src` finds `src/` too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from kitline.errors import UsageError
from kitline.kit.kitfile import Drawer, clean_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.kit.kitfile import KitPart, Remote

KITFILE = "kitfile"
_DRAWERS = (KITFILE, *get_args(Drawer))


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Drawers, and names or paths within them; no names mean all."""

    drawers: frozenset[str]
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Filters:
    """What to unpack; without any filter everything."""

    filters: tuple[Filter, ...] = ()

    @property
    def wants_kitfile(self) -> bool:
        """Whether the Kitfile itself is wanted."""
        return self.wants(KITFILE)

    def wants(self, drawer: str) -> bool:
        """Tell whether anything of a drawer may be wanted."""
        return not self.filters or any(drawer in each.drawers for each in self.filters)

    def selects(self, part: KitPart | Remote, *names: str) -> bool:
        """Tell whether a part is wanted; `names` are further names that it goes by."""
        known = {part.name, part.path, clean_path(part.path), *names}
        return not self.filters or any(
            part.drawer in each.drawers and (not each.names or not known.isdisjoint(each.names))
            for each in self.filters
        )


def parse_filters(texts: Iterable[str]) -> Filters:
    """Read filters such as `model` or `datasets,code:train,src/`.

    Raises:
        UsageError: naming what is not a filter.
    """
    return Filters(tuple(_parse(text) for text in texts))


def _parse(text: str) -> Filter:
    drawers, colon, names = text.partition(":")
    if ":" in names:
        raise UsageError(f"filter {text!r} holds ':' twice; write 'DRAWER[,…][:NAME-OR-PATH[,…]]'")
    for drawer in drawers.split(","):
        if drawer not in _DRAWERS:
            known = ", ".join(_DRAWERS)
            raise UsageError(f"filter {text!r}: {drawer!r} is not a drawer; known are {known}")
    return Filter(
        drawers=frozenset(drawers.split(",")),
        names=frozenset(names.split(",")) if colon else frozenset(),
    )
