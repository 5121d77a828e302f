"""Times as records hold them and as people write them, always with a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from kitline.errors import UsageError

_SPAN = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def time_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the millisecond."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """Read a moment as records hold it.

    Raises:
        UsageError: if it is none, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text)
        # what has no zone means another moment on another machine
        return found.astimezone(UTC) if found.tzinfo is not None else _refuse(text)
    except (ValueError, OverflowError) as cause:
        raise UsageError(f"{text[:60]!r} is not a time such as '2026-01-31T17:00:00Z'") from cause


def read_span(text: str) -> timedelta:
    """Read a span of time: `90s`, `30m`, `12h`, `30d` or `2w`.

    Raises:
        UsageError: if it is none.
    """
    found = _SPAN.match(text)
    if found is None:
        raise UsageError(f"{text[:60]!r} is not a span of time such as '30d', '12h' or '2w'")
    return timedelta(seconds=int(found["count"]) * _SECONDS[found["unit"]])


def read_moment(text: str | datetime, now: datetime) -> datetime:
    """Read a moment as people write it: RFC 3339, a date (UTC), or a span before `now`.

    Raises:
        UsageError: if it is none of these.
    """
    if isinstance(text, datetime):
        return read_time(text.isoformat())
    if _SPAN.match(text):
        try:
            return now - read_span(text)
        except OverflowError as cause:
            raise UsageError(f"{text!r} ago is before the first year that there is") from cause
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return read_time(f"{text}T00:00:00Z")
    return read_time(text)


def _refuse(text: str) -> datetime:
    raise UsageError(f"time {text[:60]!r} has no zone; add one, such as 'Z' for UTC")
