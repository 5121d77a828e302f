"""A kit's config: the Kitfile as JSON, byte for byte as kit writes it.

Source: kit 1.15.0 (Go structs with `omitempty`). Keys that kitline does not know are kept and
written behind those that it knows.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeVar

from kitline.errors import InvalidConfig, InvalidDigest
from kitline.kit import kitfile as values
from kitline.kit.keys import Key, keys_of
from kitline.kit.kitfile import Kitfile
from kitline.oci.digest import Digest
from kitline.oci.json import decode, encode, sorted_map

DEPTH_LIMIT = 100
"""Deepest nesting of a config, in levels."""

_SURROGATES = re.compile("[\ud800-\udfff]")

T = TypeVar("T")


def to_config(kitfile: Kitfile) -> bytes:
    """Return the config blob.

    Raises:
        ValueError: for parameters that JSON cannot hold, such as NaN or keys that are not text.
    """
    return encode(to_json(kitfile))


def to_json(entry: Any) -> dict[str, Any]:
    """Return an object of a Kitfile as a dict, in kit's order and without what is empty."""
    result: dict[str, Any] = {}
    for key in keys_of(type(entry)):
        value = getattr(entry, key.attribute)
        if key.kind == "object" and value is not None:
            result[key.name] = to_json(value)
        elif key.is_always_written:
            result[key.name] = value
        elif key.kind == "objects" and value:
            result[key.name] = [to_json(each) for each in value]
        elif key.kind == "texts" and value:
            result[key.name] = list(value)
        elif key.kind == "free" and value is not None:
            result[key.name] = _sorted(value)
        elif key.kind in ("text", "digest") and value:
            result[key.name] = str(value)
    return result | {name: entry.extra[name] for name in entry.extra if name not in result}


def from_config(data: bytes) -> Kitfile:
    """Read a config blob; unknown keys are kept in `extra`, null counts as absent.

    Raises:
        InvalidConfig: if the bytes are no JSON object or a value is of the wrong kind.
    """
    try:
        fields = decode(data)
    except ValueError as cause:
        raise InvalidConfig(f"the kit's config is not valid JSON: {cause}") from cause
    return kitfile_from_json(fields)


def kitfile_from_json(fields: object, where: str = "") -> Kitfile:
    """Read a Kitfile from parsed JSON; `where` is its place, for messages."""
    return _read_object(Kitfile, _clean(fields), where)


def _read_object(kind: type[T], fields: object, where: str) -> T:
    if not isinstance(fields, dict):
        raise _wrong(where or "the kit's config", "an object", fields)
    found: dict[str, Any] = {}
    known = keys_of(kind)
    for key in known:
        place = f"{where}.{key.name}" if where else key.name
        value = fields.get(key.name)
        if value is not None:
            found[key.attribute] = _read_value(key, value, place)
        elif key.name == "manifestVersion":
            found[key.attribute] = ""  # absent is not "1.0.0"
    names = {key.name for key in known}
    found["extra"] = {name: value for name, value in fields.items() if name not in names}
    return kind(**found)


def _read_value(key: Key, value: Any, where: str) -> Any:
    if key.kind == "free":
        return value
    if key.kind == "object":
        return _read_object(getattr(values, key.of), value, where)
    if key.kind == "objects":
        kind = getattr(values, key.of)
        items = _list(value, where)
        # Go reads null in a list as an empty object
        return tuple(
            _read_object(kind, {} if each is None else each, f"{where}[{n}]") for n, each in items
        )
    if key.kind == "texts":
        return tuple(
            _text("" if each is None else each, f"{where}[{n}]") for n, each in _list(value, where)
        )
    text = _text(value, where)
    return _digest(text, where) if key.kind == "digest" else text


def _list(value: object, where: str) -> list[tuple[int, Any]]:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    return list(enumerate(value))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "a text", value)
    return value


def _digest(text: str, where: str) -> str | None:
    try:
        return str(Digest(text)) if text else None
    except InvalidDigest as cause:
        raise InvalidConfig(f"{where}: {cause}") from cause


def _wrong(where: str, expected: str, found: object) -> InvalidConfig:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    kind = "null" if found is None else kinds.get(type(found), "a number")
    return InvalidConfig(f"{where}: expected {expected}, found {kind}")


def _clean(value: Any, depth: int = 0) -> Any:
    """Refuse what cannot be written again, and replace broken characters as Go does."""
    if depth > DEPTH_LIMIT:
        raise InvalidConfig(f"the kit's config is nested deeper than {DEPTH_LIMIT} levels")
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidConfig("the kit's config holds a number that is out of range")
    if isinstance(value, dict):
        return {_SURROGATES.sub("\ufffd", k): _clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_clean(each, depth + 1) for each in value]
    return value


def _sorted(value: Any) -> Any:
    """Return parameters with the keys of all maps in Go's order."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"the key {name!r} of parameters is not a text")
        return {name: _sorted(each) for name, each in sorted_map(value).items()}
    if isinstance(value, list | tuple):
        return [_sorted(each) for each in value]
    return value
