"""JSON exactly as Go's `encoding/json` prints it, since digests depend on every byte.

Source: the reference measured from kit 1.15.0 (Go `json.Marshal` with HTML escaping).
Objects keep the order of their keys; use `sorted_map` where Go would print a map.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
} | {chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in "\b\f\n\r\t"}
_TO_ESCAPE = re.compile('[\\x00-\\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')


def encode(value: object) -> bytes:
    """Return `value` as Go prints it: no spaces, no final newline, UTF-8.

    Raises:
        ValueError: for NaN, infinities, keys that are not text and values JSON does not have.
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode()


def sorted_map(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict ordered by the UTF-8 bytes of its keys, as Go prints maps."""
    return {key: mapping[key] for key in sorted(mapping, key=_utf8)}


def decode(data: bytes, *, limit: int = 4 << 20) -> Any:
    """Parse JSON from outside; integers and floats keep their kind.

    Raises:
        ValueError: if it is not UTF-8 JSON, names a key twice, is nested absurdly deep or is
            larger than `limit` bytes.
    """
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes are more than the limit of {limit}")
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_refuse_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_read_integer,
        )
    except UnicodeDecodeError as cause:
        raise ValueError(f"not UTF-8: {cause.reason} at byte {cause.start}") from cause
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _read_integer(text: str) -> int | float:
    # a negative zero is a float, or it would be written back without its sign
    return -0.0 if text == "-0" else int(text)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _write(value: object, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(quote(value))
    elif value is True or value is False or value is None:
        parts.append({True: "true", False: "false", None: "null"}[value])
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, float):
        parts.append(format_float(value))
    elif isinstance(value, dict):
        _write_object(value, parts)
    elif isinstance(value, list | tuple):
        _write_array(value, parts)
    else:
        raise ValueError(f"JSON has no {type(value).__name__}")


def _write_object(value: dict[Any, Any], parts: list[str]) -> None:
    parts.append("{")
    for number, (key, item) in enumerate(value.items()):
        if not isinstance(key, str):
            raise ValueError(f"the key {key!r} is not a text")
        parts.append(("," if number else "") + quote(key) + ":")
        _write(item, parts)
    parts.append("}")


def _write_array(value: list[Any] | tuple[Any, ...], parts: list[str]) -> None:
    parts.append("[")
    for number, item in enumerate(value):
        if number:
            parts.append(",")
        _write(item, parts)
    parts.append("]")


def quote(text: str) -> str:
    r"""Return `text` as a JSON string; lone surrogates become `\ufffd`, as in Go."""
    return '"' + _TO_ESCAPE.sub(lambda found: _ESCAPES.get(found[0], "\\ufffd"), text) + '"'


def format_float(number: float) -> str:
    """Return the shortest digits that read back equal: plain from 1e-6 up to 1e21."""
    if not math.isfinite(number):
        raise ValueError(f"JSON has no {number}")
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    mantissa, _, exponent = f"{number!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + ("" if fraction == "0" else fraction)).lstrip("0")
    # value = 0.digits × 10^point
    point = len(whole.lstrip("0")) + int(exponent or 0)
    if not whole.lstrip("0"):
        point = int(exponent or 0) - (len(fraction) - len(fraction.lstrip("0")))
    digits = digits.rstrip("0")
    if 1e-6 <= abs(number) < 1e21:
        return sign + _plain(digits, point)
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    power = point - 1
    return f"{sign}{head}e{'-' if power < 0 else '+'}{abs(power)}"


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]
