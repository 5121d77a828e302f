"""What the objects of a Kitfile are made of: each key declared once, for YAML, JSON and schema.

Source: kit 1.15.0 as measured (order, what is left out when empty, what YAML refuses).
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Literal

from kitline.frozen import dataclass

Kind = Literal["text", "texts", "free", "digest", "object", "objects"]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of an object: `name` in files, `attribute` in Python."""

    name: str
    kind: Kind
    summary: str
    attribute: str = ""
    is_always_written: bool = False
    """Whether JSON holds it even when it is empty."""
    of: str = ""
    """For objects: the name of their class."""

    @property
    def is_yaml(self) -> bool:
        """Whether a Kitfile in YAML may hold it; digests stand in the config only."""
        return self.kind != "digest"


_DEFAULTS: dict[Kind, Any] = {
    "text": "",
    "texts": (),
    "free": None,
    "digest": None,
    "object": None,
    "objects": (),
}


def key(
    name: str, kind: Kind, summary: str, *, always: bool = False, default: Any = None, of: str = ""
) -> Any:
    """Declare a dataclass field that is a key of a Kitfile's object."""
    declared = Key(name=name, kind=kind, summary=summary, is_always_written=always, of=of)
    return dataclasses.field(
        default=_DEFAULTS[kind] if default is None else default, metadata={"key": declared}
    )


def text(name: str, summary: str, *, always: bool = False, default: str = "") -> Any:
    """Declare a text; an empty one counts as absent."""
    return key(name, "text", summary, always=always, default=default)


def layer_digest() -> Any:
    """Declare the digest of a layer as stored."""
    return key("digest", "digest", "Digest of the layer as stored")


def layer_diff_id() -> Any:
    """Declare the digest of a layer before compression."""
    return key("diffId", "digest", "Digest of the layer before compression")


def keys_of(kind: type) -> tuple[Key, ...]:
    """Return the keys of a class of `kit.kitfile` in the order in which kit writes them."""
    return _keys_of(kind)


@cache
def _keys_of(kind: Any) -> tuple[Key, ...]:
    return tuple(
        dataclasses.replace(each.metadata["key"], attribute=each.name)
        for each in dataclasses.fields(kind)
        if "key" in each.metadata
    )
