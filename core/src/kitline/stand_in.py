"""Stand-ins for libraries that others import at once and hardly ever use.

Other threads may import meanwhile: what they find is the library, or a stand-in that becomes it.

The same goes for regular expressions: compiling some takes longer than all else in their module.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from threading import Lock, get_ident
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_removing = Lock()
_compile_now: Final = re.compile
_inside: Final[list[int]] = []
"""The thread of each `patterns_when_used` that has not ended."""


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


@contextmanager
def patterns_when_used() -> Iterator[None]:
    """Let each regular expression that this thread compiles inside wait until it is used.

    For imports of libraries that compile what most programs never ask of them.
    """
    _inside.append(get_ident())
    if re.compile is _compile_now:
        re.compile = _compile_late
    try:
        yield
    finally:
        # without a lock, which other threads that import could be kept waiting by: in a race
        # one of them compiles at once
        _inside.remove(get_ident())
        if not _inside and re.compile is _compile_late:
            re.compile = _compile_now


def _compile_late(pattern: Any, flags: Any = 0) -> Any:
    """Do what `re.compile` does, inside of `patterns_when_used` later."""
    make = _PatternWhenUsed if get_ident() in _inside else _compile_now
    return make(pattern, flags)


class _PatternWhenUsed:
    """Does what the pattern does, and is one to `isinstance` and the functions of `re`."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return re.Pattern

    @cached_property
    def _compiled(self) -> re.Pattern[Any]:
        return _compile_now(*self._given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __repr__(self) -> str:
        return repr(self._compiled)

    def __eq__(self, other: object) -> bool:
        return self._compiled == getattr(other, "_compiled", other)

    def __hash__(self) -> int:
        return hash(self._compiled)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _compile_now, self._given
