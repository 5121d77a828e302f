"""Stand-ins for libraries that others import at once and hardly ever use.

Other threads may import meanwhile: what they find is the library, or a stand-in that becomes it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_removing = Lock()


class _StandIn(ModuleType):
    """Loads the real library should it ever be used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what the import system asks of any module
            raise AttributeError(f"the stand-in of {self.__name__!r} has no {name!r}")
        return getattr(load(self.__name__), name)

    def _make_room(self) -> None:
        """Let the library itself be imported from now on, with all that is in it."""
        with _removing:
            if sys.modules.get(self.__name__) is self:
                below = f"{self.__name__}."
                for name in [each for each in list(sys.modules) if each.startswith(below)]:
                    sys.modules.pop(name, None)
                del sys.modules[self.__name__]


def load(library: str) -> Any:
    """Import a library itself, wherever a stand-in for it is found now."""
    found = sys.modules.get(library)
    if isinstance(found, _StandIn):
        found._make_room()
    return import_module(library)


@contextmanager
def standing_in(library: str, *, version_from: str = "", **given: object) -> Iterator[None]:
    """Let what is imported inside find a stand-in for `library`, unless that is loaded already.

    It has the names that are `given` (which may call `load`); any other loads the library. Its
    version is that of the module `version_from` of the library, such as `version`.
    """
    spec = None if library in sys.modules else find_spec(library)
    if spec is None:
        yield
        return
    stand_in = _StandIn(library)
    stand_in.__path__ = spec.submodule_search_locations or []
    vars(stand_in).update(given)
    if sys.modules.setdefault(library, stand_in) is not stand_in:  # another thread was faster
        yield
        return
    package, _, name = library.rpartition(".")
    if package:  # where it stays until the library takes its place, as after any import
        setattr(sys.modules[package], name, stand_in)
    try:
        if version_from:
            version = import_module(f"{library}.{version_from}").__version__
            stand_in.__version__ = version  # type: ignore[attr-defined]
        yield
    finally:
        stand_in._make_room()
