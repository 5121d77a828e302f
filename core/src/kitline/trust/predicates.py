"""Predicates of kitline's own types: what is said of a kit in a few words.

No time is in them: the same said again is the same statement, and writes nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.trust.gate import SENSITIVITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEXT_LIMIT = 4096
"""The longest reason or owner, in characters."""


def revocation(reason: str) -> dict[str, Any]:
    """Say that a kit is not to be used any more, nor what was made from it.

    Raises:
        UsageError: if no reason is given.
    """
    return {"reason": _text(reason, "revocation takes a reason")}


def classification(*, owner: str = "", sensitivity: str = "") -> dict[str, Any]:
    """Say whose a kit is, and how sensitive.

    Raises:
        UsageError: if neither is given, or the level is unknown.
    """
    if sensitivity and sensitivity not in SENSITIVITIES:
        raise UsageError(f"sensitivity {sensitivity!r} is none of {', '.join(SENSITIVITIES)}")
    found = {"owner": owner, "sensitivity": sensitivity}
    said = {key: _text(value, key) for key, value in found.items() if value}
    if not said:
        raise UsageError("a classification takes an owner, a sensitivity, or both")
    return said


def evaluation(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Say how well a kit did: metrics by name.

    Raises:
        UsageError: if there are none.
    """
    if not metrics:
        raise UsageError("an evaluation takes at least one metric")
    return {"metrics": dict(metrics)}


def read_metrics(pairs: Iterable[str]) -> dict[str, float]:
    """Read metrics from texts `NAME=NUMBER`.

    Raises:
        UsageError: naming the text that is none.
    """
    found: dict[str, float] = {}
    for text in pairs:
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not math.isfinite(number):
            raise UsageError(f"metric {text!r} is not 'NAME=NUMBER'")
        found[name] = number
    return found


def _text(value: str, what: str) -> str:
    if not value.strip():
        raise UsageError(f"{what}; it is empty")
    if len(value) > TEXT_LIMIT:
        raise UsageError(f"{what}: {len(value)} characters are more than {TEXT_LIMIT}")
    return value
