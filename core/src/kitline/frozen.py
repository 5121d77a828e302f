"""Frozen keyword-only dataclasses that are ready in a twentieth of the time.

`dataclasses` writes and compiles the source of six methods for each class, a third of a
millisecond; a command makes 80 classes before it does anything. Here all classes share methods
that go by their fields. To type checkers, `fields`, `replace`, `asdict` and users they are
dataclasses like any other.
"""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass
    from inspect import Signature
else:

    def dataclass(*, frozen: bool, kw_only: bool, order: bool = False) -> Callable[[type], type]:
        """Return a decorator as `dataclasses.dataclass` does for these options, the first two true.

        Raises:
            TypeError: when a class is decorated, if it is made for anything else.
        """
        if not (frozen and kw_only):
            raise TypeError("use dataclasses.dataclass for what is not frozen and keyword-only")
        return _decorate_ordered if order else _decorate


class _Shape(NamedTuple):
    """What the methods have to know of a class; its names are in the order of the fields."""

    owner: type
    names: frozenset[str]
    defaults: dict[str, Any]
    factories: tuple[tuple[str, Callable[[], Any]], ...]
    has_post_init: bool
    shown: tuple[str, ...]
    compared: tuple[str, ...]
    hashed: tuple[str, ...]


def _decorate(cls: type) -> type:
    _find_fields(cls)
    fields = dataclasses.fields(cls)
    if not all(each.init and each.kw_only for each in fields):
        raise TypeError(f"{cls.__qualname__}: use dataclasses.dataclass for such fields")
    missing = dataclasses.MISSING
    defaults = {each.name: each.default for each in fields if each.default is not missing}
    factories = tuple(
        (each.name, each.default_factory) for each in fields if each.default_factory is not missing
    )
    shape = _Shape(
        owner=cls,
        names=frozenset(each.name for each in fields),
        defaults=defaults,
        factories=factories,
        has_post_init=hasattr(cls, "__post_init__"),
        shown=tuple(each.name for each in fields if each.repr),
        compared=tuple(each.name for each in fields if each.compare),
        hashed=tuple(
            each.name for each in fields if (each.compare if each.hash is None else each.hash)
        ),
    )
    own = vars(cls)
    methods = {name: method for name, method in _METHODS.items() if name not in own}
    if own.get("__hash__") is None:  # Python puts None there for a class with `__eq__` alone
        methods["__hash__"] = _hash
    for name, value in {**methods, "__kitline_shape__": shape}.items():
        setattr(cls, name, value)
    return cls


def _decorate_ordered(cls: type) -> type:
    for name, method in _ORDER.items():
        if name in vars(cls):
            raise TypeError(f"{cls.__qualname__} is ordered and has a {name} of its own")
        setattr(cls, name, method)
    params = _decorate(cls).__dataclass_params__  # type: ignore[attr-defined]
    params.order = True
    return cls


def _find_fields(cls: type) -> None:
    """Let `dataclasses` read the fields of a class, from a bare one that has nothing else.

    On the class itself it would write methods for what is derived, and a text for what has none.
    """
    own = vars(cls)
    annotations = own.get("__annotations__", {})
    given = {
        name: value
        for name, value in own.items()
        if name in annotations or isinstance(value, dataclasses.Field)
    }
    said = {"__module__": cls.__module__, "__annotations__": annotations, "__doc__": cls.__name__}
    bare: Any = dataclasses.dataclass(
        type(cls.__name__, (), {**given, **said}),
        init=False,
        repr=False,
        eq=False,
        match_args=False,
        kw_only=True,
    )
    params, fields = bare.__dataclass_params__, {}
    for each in reversed(cls.__mro__[1:]):
        if (above := vars(each).get("__dataclass_params__")) is not None:
            if not above.frozen:
                raise TypeError("cannot inherit frozen dataclass from a non-frozen one")
            fields.update(each.__dataclass_fields__)  # type: ignore[attr-defined]
    params.frozen = True
    values = {
        "__dataclass_params__": params,
        "__dataclass_fields__": {**fields, **bare.__dataclass_fields__},
    }
    if "__replace__" in vars(bare):  # Python 3.13
        values["__replace__"] = bare.__replace__
    for name, value in given.items():
        if isinstance(value, dataclasses.Field):
            if name in vars(bare):
                values[name] = vars(bare)[name]
            else:
                delattr(cls, name)
    for name, value in values.items():
        setattr(cls, name, value)


def _init(self: Any, /, **given: Any) -> None:
    shape: _Shape = self.__kitline_shape__
    values = self.__dict__
    values.update(shape.defaults)
    values.update(given)
    if shape.factories:
        for name, make in shape.factories:
            if name not in given:
                values[name] = make()
    if len(values) != len(shape.names) or not shape.names >= given.keys():
        raise _wrong_arguments(shape, given)
    if shape.has_post_init:
        self.__post_init__()


def _wrong_arguments(shape: _Shape, given: dict[str, Any]) -> TypeError:
    what = f"{shape.owner.__qualname__}.__init__()"
    if unknown := sorted(given.keys() - shape.names):
        return TypeError(f"{what} got an unexpected keyword argument {unknown[0]!r}")
    known = given.keys() | shape.defaults.keys() | {name for name, _ in shape.factories}
    missing = ", ".join(map(repr, sorted(shape.names - known)))
    return TypeError(f"{what} missing required keyword-only arguments: {missing}")


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__kitline_shape__.shown)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    mine, its = self.__dict__, other.__dict__
    return all(mine[name] == its[name] for name in self.__kitline_shape__.compared)


def _hash(self: Any) -> int:
    values = self.__dict__
    return hash(tuple([values[name] for name in self.__kitline_shape__.hashed]))


def _by_fields(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    """Return a method that compares an object with another of its class, by their fields."""

    def method(self: Any, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return compare(_compared(self), _compared(other))

    return method


def _compared(self: Any) -> tuple[Any, ...]:
    values = self.__dict__
    return tuple([values[name] for name in self.__kitline_shape__.compared])


def _setattr(self: Any, name: str, value: object) -> None:
    _refuse(self, name, "assign to")
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    _refuse(self, name, "delete")
    object.__delattr__(self, name)


def _refuse(self: Any, name: str, what: str) -> None:
    """Refuse to change a field, or anything of an object whose class is made here itself."""
    shape = self.__kitline_shape__
    if type(self) is shape.owner or name in shape.names:
        raise dataclasses.FrozenInstanceError(f"cannot {what} field {name!r}")


class _Made:
    """Stands for a default that is made anew for each object, as dataclasses show it."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE: Final = _Made()


class _SignatureOfClass:
    """Says what a class is made of, to whoever asks: help, notebooks, documentation."""

    def __get__(self, instance: object, owner: type) -> Signature:
        from inspect import Parameter, Signature

        if owner.__init__ is not _init:  # type: ignore[misc]
            raise AttributeError(f"{owner.__qualname__!r} says itself how it is made")
        return Signature(
            [
                Parameter(
                    each.name,
                    Parameter.KEYWORD_ONLY,
                    annotation=each.type,
                    default=_shown_default(each),
                )
                for each in dataclasses.fields(owner)
            ]
        )


def _shown_default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return _MADE
    from inspect import Parameter

    return Parameter.empty


_METHODS: Final[dict[str, Any]] = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__signature__": _SignatureOfClass(),
}
_ORDER: Final[dict[str, Any]] = {
    "__lt__": _by_fields(operator.lt),
    "__le__": _by_fields(operator.le),
    "__gt__": _by_fields(operator.gt),
    "__ge__": _by_fields(operator.ge),
}
