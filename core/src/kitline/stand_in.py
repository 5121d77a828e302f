"""Stand-ins for libraries that others import at once and hardly ever use."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _StandIn(ModuleType):
    """Loads the real library should it ever be used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what the import system asks of any module
            raise AttributeError(f"the stand-in of {self.__name__!r} has no {name!r}")
        self._make_room()
        return getattr(import_module(self.__name__), name)

    def _make_room(self) -> None:
        """Let the library itself be imported from now on, with all that is in it."""
        if sys.modules.get(self.__name__) is self:
            below = f"{self.__name__}."
            for name in [each for each in sys.modules if each.startswith(below)]:
                del sys.modules[name]
            del sys.modules[self.__name__]


@contextmanager
def standing_in(library: str, *, version_from: str = "", **given: object) -> Iterator[None]:
    """Let what is imported inside find a stand-in for `library`, unless that is loaded already.

    It has the names that are `given`; any other loads the library. Its version is that of the
    module `version_from` of the library, such as `version`.
    """
    spec = None if library in sys.modules else find_spec(library)
    if spec is None:
        yield
        return
    stand_in = _StandIn(library)
    stand_in.__path__ = spec.submodule_search_locations or []
    vars(stand_in).update(given)
    sys.modules[library] = stand_in
    try:
        if version_from:
            version = import_module(f"{library}.{version_from}").__version__
            stand_in.__version__ = version  # type: ignore[attr-defined]
        yield
    finally:
        stand_in._make_room()
