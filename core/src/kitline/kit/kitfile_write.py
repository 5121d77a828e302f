"""Writing a Kitfile as YAML, laid out as kit does and read alike by kit and by kitline.

Unlike kit, which sends numbers through float64, integers keep all digits. Digests and keys that
kitline does not know stay in the config: a Kitfile that named them would be refused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from kitline.kit.go_scalars import STR, resolve
from kitline.kit.keys import keys_of
from kitline.oci.json import sorted_map

if TYPE_CHECKING:
    from kitline.kit.kitfile import Kitfile

# Texts to YAML 1.1 readers' booleans and base 60 numbers, quoted as go-yaml does
_OLD_WORDS = re.compile(r"([yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|<<|=)\Z")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")

# What go-yaml (libyaml's yaml_emitter_analyze_scalar) does not write without quotes
_NOT_PLAIN = re.compile(
    r"[#,\[\]{}&*!|>'\"%@`]|-(\s|\Z)|[?:](\s|\Z)|---|\.\.\.|.*(:(\s|\Z)|\s#)|.*\s\Z|\s"
)
_NOT_PLAIN_IN_FLOW = re.compile(r"[?:]|.*[,?\[\]{}:]")
# not compiled before a text asks for them: most are plain ASCII, and this takes a while
_UNPRINTABLE = "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n",
    "\v": "\\v", "\f": "\\f", "\r": "\\r", "\x1b": "\\e", "\x85": "\\N",
    "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip
_TO_ESCAPE = _UNPRINTABLE + '|["\\\\]'
_SIMPLE_KEY_LIMIT = 120
"""Longest key on a line of its own with its value; YAML allows 1024 bytes."""


def write_kitfile(kitfile: Kitfile) -> str:
    """Return the YAML text of a Kitfile.

    Raises:
        ValueError: for parameters that YAML and JSON do not share, such as NaN.
    """
    return "".join(_block_map(_fields(kitfile), 0))


def _fields(entry: Any) -> dict[str, Any]:
    """Return what is written of an object, in kit's order."""
    result = _Ordered()
    for key in keys_of(type(entry)):
        value = getattr(entry, key.attribute)
        if not key.is_yaml:
            continue
        if key.kind == "object":
            # unlike the config, YAML leaves out an empty package; an empty model stays
            if value is not None and (key.name == "model" or _fields(value)):
                result[key.name] = _fields(value)
        elif key.kind == "objects" and value:
            result[key.name] = [_fields(each) for each in value]
        elif key.kind == "texts" and value:
            result[key.name] = _Flow(value)
        elif value or key.is_always_written or (key.kind == "free" and value is not None):
            result[key.name] = value
    return result


class _Flow(tuple[str, ...]):
    """A list that is written on one line."""

    __slots__ = ()


def _block_map(value: dict[str, Any], indent: int) -> list[str]:
    lines = []
    for name, item in value.items():
        pad, key = " " * indent, _text(name, indent=None)
        if len(key) > _SIMPLE_KEY_LIMIT:
            lines.append(f"{pad}? {key}\n")
            key = ""
        lines += [f"{pad}{key}:", *_value(item, indent)]
    return lines


def _block_list(value: list[Any], indent: int) -> list[str]:
    lines = []
    for item in value:
        lines.append(" " * indent + "-")
        if _is_block(item):
            nested = "".join(
                _block_map(_sorted(item), indent + 2)
                if isinstance(item, dict)
                else _block_list(item, indent + 2)
            )
            lines += [" ", nested[indent + 2 :]]
        else:
            lines += _value(item, indent)
    return lines


def _value(value: Any, indent: int) -> list[str]:
    """Return what stands behind `key:` or `-`, up to the end of the line or below it."""
    if not _is_block(value):
        return [f" {_scalar(value, indent)}\n"]
    below = indent + 2
    if isinstance(value, dict):
        return ["\n", *_block_map(_sorted(value), below)]
    return ["\n", *_block_list(value, below)]


def _is_block(value: Any) -> bool:
    return bool(value) and isinstance(value, dict | list | tuple) and not isinstance(value, _Flow)


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, _Ordered):
        return value
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"the key {name!r} of parameters is not a text")
    return sorted_map(value)


class _Ordered(dict[str, Any]):
    """An object of the Kitfile, in kit's order; other maps are parameters and sorted."""


def _scalar(value: Any, indent: int) -> str:
    if isinstance(value, str):
        return _text(value, indent=indent)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, _Flow):
        return "[" + ", ".join(_text(each, indent=None, is_flow=True) for each in value) + "]"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise ValueError(f"YAML and JSON share no {type(value).__name__}")


def _float(value: float) -> str:
    """Return digits that YAML 1.1, YAML 1.2 and go-yaml all read as this number."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    mantissa, mark, exponent = repr(value).partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + mark + exponent


def _text(text: str, *, indent: int | None, is_flow: bool = False) -> str:
    """Return a text as go-yaml quotes it; with `indent` it may go on in the lines below."""
    if "\n" in text:
        if indent is not None and _fits_literal(text):
            return _literal(text, indent + 2)
        return _double_quoted(text)
    if not _is_printable(text) or resolve(text)[0] != STR:
        return _double_quoted(text)
    if _OLD_WORDS.match(text) or _BASE_60.match(text):
        return _double_quoted(text)
    if not _NOT_PLAIN.match(text) and not (is_flow and _NOT_PLAIN_IN_FLOW.match(text)):
        return text
    return "'" + text.replace("'", "''") + "'"


def _is_printable(text: str) -> bool:
    if text.isascii():
        return text.isprintable()
    return not re.search(_UNPRINTABLE, text)


def _fits_literal(text: str) -> bool:
    """Tell whether a block keeps the text: nothing unprintable, no blanks at ends of lines."""
    lines = text.split("\n")
    return (
        _is_printable("".join(lines))
        and bool(lines[0])
        and not lines[0].startswith(" ")
        and not any(line.endswith(" ") for line in lines)
    )


def _literal(text: str, indent: int) -> str:
    body = text.rstrip("\n")
    chomping = {0: "-", 1: ""}.get(len(text) - len(body), "+")
    pad = " " * indent
    lines = [pad + line if line else "" for line in text.removesuffix("\n").split("\n")]
    return f"|{chomping}\n" + "\n".join(lines)


def _double_quoted(text: str) -> str:
    return '"' + re.sub(_TO_ESCAPE, _escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xD800 <= code < 0xE000:
        return "\\uFFFD"  # half a surrogate pair is no character
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
