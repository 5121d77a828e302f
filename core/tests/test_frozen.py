"""Classes of `kitline.frozen` are dataclasses like any other, but for the time that they take."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import operator
import pickle
import sys
from dataclasses import FrozenInstanceError, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Quick:
    """Made by ours."""

    name: str
    size: int = 0
    tags: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict, hash=False)
    seen: int = field(default=0, compare=False, repr=False)

    @cached_property
    def title(self) -> str:
        return self.name.title()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plain:
    """Made by Python's."""

    name: str
    size: int = 0
    tags: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict, hash=False)
    seen: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Longer(Quick):
    """Has one more field."""

    unit: str = "B"

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("negative")
        object.__setattr__(self, "unit", self.unit.upper())


GIVEN = [{}, {"size": 3}, {"tags": ("a",), "seen": 4}, {"notes": {"a": "b"}}]


@pytest.mark.parametrize("given", GIVEN)
def test_fields_text_equality_and_hash_are_those_of_a_dataclass(given: dict[str, object]) -> None:
    ours, theirs = Quick(name="iris", **given), Plain(name="iris", **given)  # type: ignore[arg-type]

    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs).replace("Plain", "Quick")
    for other in GIVEN:
        equal = Plain(name="iris", **other) == theirs  # type: ignore[arg-type]
        assert (Quick(name="iris", **other) == ours) == equal  # type: ignore[arg-type]
        if equal:
            assert hash(Quick(name="iris", **other)) == hash(ours)  # type: ignore[arg-type]
    assert ours != theirs
    assert ours.__eq__(theirs) is NotImplemented
    assert Longer(name="iris") != Quick(name="iris")


def test_it_is_a_dataclass() -> None:
    assert dataclasses.is_dataclass(Quick)
    assert [each.name for each in dataclasses.fields(Longer)] == [
        *(each.name for each in dataclasses.fields(Plain)),
        "unit",
    ]
    assert dataclasses.replace(Quick(name="iris", size=2), name="rose") == Quick(
        name="rose", size=2
    )
    ours, theirs = inspect.signature(Quick), inspect.signature(Plain)
    assert str(ours) == str(theirs).removesuffix(" -> None")
    assert Quick(name="a").notes is not Quick(name="a").notes


def test_copies_are_equal() -> None:
    ours = Longer(name="iris", tags=("a",), notes={"a": "b"})

    for each in (copy.copy(ours), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert each == ours
        assert each is not ours


def test_nothing_can_be_set_or_removed() -> None:
    ours = Quick(name="iris")

    for name in ("name", "another"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(ours, name, "rose")
        with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(ours, name)
    assert ours.title == "Iris"  # kept beside the fields
    assert ours == Quick(name="iris")


def test_what_is_derived_from_it_may_have_attributes_of_its_own() -> None:
    class Derived(Quick):
        pass

    ours = Derived(name="iris")
    ours.more = 1  # type: ignore[attr-defined]

    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        ours.name = "rose"  # type: ignore[misc]
    del ours.more  # type: ignore[attr-defined]


def test_plugins_may_derive_from_it_as_from_any_frozen_dataclass() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Derived(Longer):
        more: int = 1

    class ByHand(Quick):
        def __init__(self, text: str) -> None:
            super().__init__(name=text.strip())

    assert Derived(name="iris", more=2) == Derived(name="iris", unit="b", more=2)
    with pytest.raises(FrozenInstanceError):
        Derived(name="iris").more = 3  # type: ignore[misc]
    assert str(inspect.signature(ByHand)) == "(text: 'str') -> 'None'"
    assert ByHand(" iris ").name == "iris"
    with pytest.raises(TypeError, match="cannot inherit non-frozen"):

        @dataclasses.dataclass
        class Open(Quick):
            pass


def test_what_is_ordered_is_so_by_its_fields_among_its_own() -> None:
    @dataclass(frozen=True, kw_only=True, order=True)
    class Version:
        major: int
        minor: int = 0
        note: str = field(default="", compare=False)

    @dataclass(frozen=True, kw_only=True, order=True)
    class Release(Version):
        major: int = 1
        final: bool = True

    low, high = Version(major=1, minor=9, note="z"), Version(major=2)
    assert sorted([high, low]) == [low, high]
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        for one, other in ((low, high), (high, low), (low, Version(major=1, minor=9))):
            as_tuples = (one.major, one.minor), (other.major, other.minor)
            assert compare(one, other) == compare(*as_tuples)
    assert Release(final=False) < Release() < Release(minor=1)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(TypeError, match="not supported between"):
            compare(low, Release())
    with pytest.raises(TypeError, match="is ordered and has a __lt__ of its own"):

        @dataclass(frozen=True, kw_only=True, order=True)
        class Own:
            size: int

            def __lt__(self, other: object) -> bool:
                return True


def test_fields_that_are_derived_are_those_of_a_dataclass() -> None:
    def make(decorate: Callable[..., Any]) -> list[type]:
        @decorate(frozen=True, kw_only=True)
        class Base:
            name: str
            kind: ClassVar[str] = "base"
            size: int = field(default=1, metadata={"unit": "B"})
            tags: tuple[str, ...] = field(default_factory=tuple)

        @decorate(frozen=True, kw_only=True)
        class Derived(Base):
            size: int = 2
            tags: tuple[str, ...]
            other: str = field(default="o", repr=False)

        return [Base, Derived]

    for ours, theirs in zip(make(dataclass), make(dataclasses.dataclass), strict=True):
        shown = [
            [(f.name, f.type, f.default, f.kw_only, f.repr, dict(f.metadata)) for f in fields]
            for fields in (dataclasses.fields(ours), dataclasses.fields(theirs))
        ]
        assert shown[0] == shown[1]
        for name in ("size", "tags", "other"):
            assert vars(ours).get(name, "none") == vars(theirs).get(name, "none")
        made = {"name": "n", "tags": ("t",)}
        assert repr(ours(**made)) == repr(theirs(**made))
        signature = str(inspect.signature(theirs)).removesuffix(" -> None")
        assert str(inspect.signature(ours)) == signature


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace came with Python 3.13")
def test_copy_replaces() -> None:
    assert copy.replace(Longer(name="iris"), name="rose") == Longer(name="rose")  # type: ignore[attr-defined,unused-ignore]


def test_a_field_without_a_type_is_refused() -> None:
    with pytest.raises(TypeError, match="'size' is a field but has no type annotation"):

        @dataclass(frozen=True, kw_only=True)
        class Untyped:
            name: str
            size = field(default=1)


def test_a_class_without_a_text_has_none() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Bare:
        name: str

    assert Bare.__doc__ is None


def test_nothing_derives_from_what_may_change() -> None:
    @dataclasses.dataclass
    class Open:
        name: str

    with pytest.raises(TypeError, match="cannot inherit frozen dataclass from a non-frozen one"):

        @dataclass(frozen=True, kw_only=True)
        class Closed(Open):  # type: ignore[misc]
            size: int


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match=r"Quick.__init__\(\) missing .* arguments: 'name'"):
        Quick(size=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'nam'"):
        Quick(nam="iris")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'nam'"):
        Quick(name="iris", nam="iris")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Quick("iris")  # type: ignore[misc]


def test_a_field_may_be_called_self() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Odd:
        self: int

    assert Odd(self=3).self == 3  # type: ignore[misc]


def test_what_comes_after_init_is_called() -> None:
    assert Longer(name="iris", unit="kib").unit == "KIB"
    with pytest.raises(ValueError, match="negative"):
        Longer(name="iris", size=-1)


def test_methods_of_the_class_itself_stay() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Named:
        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named)

        def __repr__(self) -> str:
            return "named"

    @dataclass(frozen=True, kw_only=True)
    class Hashed:
        name: str

        def __hash__(self) -> int:
            return 7

    assert Named(name="a") == Named(name="b")
    assert repr(Named(name="a")) == "named"
    assert hash(Named(name="a")) == hash(Named(name="a"))
    assert hash(Hashed(name="a")) == 7


def test_other_dataclasses_are_left_to_dataclasses() -> None:
    with pytest.raises(TypeError, match=r"use dataclasses\.dataclass"):
        dataclass(frozen=False, kw_only=True)
    with pytest.raises(TypeError, match=r"Late: use dataclasses.dataclass for such fields"):

        @dataclass(frozen=True, kw_only=True)
        class Late:
            name: str = field(init=False)
