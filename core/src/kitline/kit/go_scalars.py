"""Plain YAML scalars as go-yaml v3 reads them, which is neither YAML 1.1 nor 1.2.

Source: go-yaml v3, `resolve.go` and `decode.go`, and Go's `time.Parse`, checked against kit 1.15.0.
"""

from __future__ import annotations

import base64
import binascii
import math
import re

STR, BOOL, INT, FLOAT, NULL, TIMESTAMP, BINARY, MERGE = (
    "!!str",
    "!!bool",
    "!!int",
    "!!float",
    "!!null",
    "!!timestamp",
    "!!binary",
    "!!merge",
)
_LONG_TAG = "tag:yaml.org,2002:"
_RESOLVABLE = (BOOL, INT, FLOAT, NULL, TIMESTAMP)

_WORDS: dict[str, tuple[str, bool | float | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, math.nan)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (FLOAT, math.inf)),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, -math.inf)),
}
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z"
_DIGITS = {2: r"[01]+\Z", 8: r"[0-7]+\Z", 10: r"[0-9]+\Z", 16: r"[0-9a-fA-F]+\Z"}
_TIMESTAMP = (
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<mark>[Tt]| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})"
    r"(?:[.,](?P<fraction>[0-9]+))?(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?\Z"
)

Scalar = str | bool | int | float | None


def short_tag(tag: str) -> str:
    """Return `!!int` for `tag:yaml.org,2002:int`; other tags stay."""
    return "!!" + tag[len(_LONG_TAG) :] if tag.startswith(_LONG_TAG) else tag


def tag_of_scalar(text: str, tag: str | None, *, is_plain: bool) -> str:
    """Return the short tag that go-yaml gives a scalar."""
    if tag and tag != "!":
        return short_tag(tag)
    if not is_plain:
        return STR
    return MERGE if text == "<<" else resolve(text)[0]


def read_scalar(text: str, tag: str | None, *, is_plain: bool) -> Scalar:
    """Return the value of a scalar as kit hands it to JSON; dates become texts.

    `tag` is the one written in front of it, None if there is none.

    Raises:
        ValueError: where kit fails too; the message gives the reason.
    """
    found = tag_of_scalar(text, tag, is_plain=is_plain)
    if found == BINARY:
        return _read_binary(text)
    if found not in _RESOLVABLE:
        return text  # texts, and whatever has a tag of its own
    actual, value = resolve(text)
    if found == FLOAT and actual == INT and isinstance(value, int) and value < 1 << 63:
        return float(value)
    if actual == TIMESTAMP == found:
        return format_timestamp(text)
    if actual != found:
        raise ValueError(f"cannot read {text[:100]!r} as {found}")
    return value


def resolve(text: str) -> tuple[str, Scalar]:
    """Return the short tag and the value of a plain scalar; timestamps stay text."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _float(text)
    if first not in "+-0123456789":
        return STR, text
    if _is_timestamp(text):
        return TIMESTAMP, text
    # go-yaml drops underscores wherever they stand
    plain = text.replace("_", "")
    number = _integer(plain)
    if number is not None:
        return INT, number
    tag, value = _float(plain)
    if tag == FLOAT:
        return tag, value
    number = _prefixed_integer(plain)
    return (INT, number) if number is not None else (STR, text)


def _float(text: str) -> tuple[str, Scalar]:
    if not re.match(_FLOAT, text):
        return STR, text
    value = float(text)
    # out of range is a text to go-yaml
    return (FLOAT, value) if math.isfinite(value) else (STR, text)


def _integer(text: str) -> int | None:
    """Read as Go's `ParseInt(text, 0, 64)`, then `ParseUint`."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower(), 10)
    if base != 10:
        digits = digits[2:]
    elif digits.startswith("0") and len(digits) > 1:
        base = 8
    return _digits(sign, digits, base)


def _prefixed_integer(text: str) -> int | None:
    """Read what `ParseInt` refuses and go-yaml does not: a sign behind `0b` and `0o`."""
    base = {"0b": 2, "0o": 8}.get(text[:2])
    if base is None or text[2:3] not in ("+", "-"):
        return None
    return _digits(text[2], text[3:], base)


def _digits(sign: str, digits: str, base: int) -> int | None:
    if not re.match(_DIGITS[base], digits) or len(digits.lstrip("0")) > 64:
        return None
    value = int(sign.replace("+", "") + (digits.lstrip("0") or "0"), base)
    highest = (1 << 63) - 1 if sign else (1 << 64) - 1
    return value if -(1 << 63) <= value <= highest else None


def _read_binary(text: str) -> str:
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode()
    except (binascii.Error, ValueError) as cause:
        if isinstance(cause, UnicodeDecodeError):
            raise ValueError(
                "!!binary holds bytes that are not UTF-8; kit replaces them in silence,"
                " so write them as base64 in quotes"
            ) from None
        raise ValueError(f"cannot read {text[:100]!r} as !!binary: it is not base64") from None


def _is_timestamp(text: str) -> bool:
    found = text[4:5] == "-" and re.match(_TIMESTAMP, text)
    if not found:
        return False
    part = {name: int(found[name] or 0) for name in ("year", "month", "day")}
    time = [int(found[name] or 0) for name in ("hour", "minute", "second")]
    mark, zone = found["mark"], found["zone"]
    if mark and (mark in "Tt") != bool(zone):
        return False  # `T` wants a zone, a space wants none
    if zone and zone != "Z" and (int(zone[1:3]) > 24 or int(zone[4:]) > 60):
        return False
    return (
        1 <= part["month"] <= 12
        and 1 <= part["day"] <= _days(part["year"], part["month"])
        and time[0] < 24
        and time[1] < 60
        and time[2] < 60
    )


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def format_timestamp(text: str) -> str:
    """Return a timestamp as Go's JSON prints it: offset kept, no final zeros in the fraction."""
    found = re.match(_TIMESTAMP, text)
    assert found, "resolve() has matched it"
    date = f"{found['year']}-{int(found['month']):02}-{int(found['day']):02}"
    time = ":".join(f"{int(found[name] or 0):02}" for name in ("hour", "minute", "second"))
    fraction = (found["fraction"] or "")[:9].rstrip("0")
    return f"{date}T{time}{'.' + fraction if fraction else ''}{_zone(found['zone'], text)}"


def _zone(zone: str | None, text: str) -> str:
    if not zone or zone == "Z":
        return "Z"
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    if minutes >= 24 * 60:
        raise ValueError(f"the offset of {text!r} is a day or more; JSON dates have none such")
    return f"{zone[0]}{minutes // 60:02}:{minutes % 60:02}" if minutes else "Z"
