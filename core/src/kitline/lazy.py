"""Names that are loaded on first use, so that importing a package costs nothing (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose names live in `homes`.

    A home is the name of a module, from the package on if it begins with a dot:

        __getattr__, __dir__ = lazy_names(__name__, {"pack": ".operations.pack"})
    """

    def load(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(home, package), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return list(sys.modules[package].__all__)

    return load, names
