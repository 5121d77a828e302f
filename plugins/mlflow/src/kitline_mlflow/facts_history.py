"""Metric histories as canonical JSON Lines: one line per key, points in order of time.

    {"key":"loss","points":[[timestamp,step,value],…]}

Timestamps are milliseconds since 1970. JSON has no NaN and no infinities: they are the texts
"NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlflow.entities import Metric

NOTE = (
    f"values of ±{sys.float_info.max!r} are written as Infinity and -Infinity:"
    " MLflow's SQL stores keep infinities as these numbers"
)


def history_line(key: str, points: Iterable[Metric]) -> str:
    """Return the line of one metric; equal for every order in which the points come."""
    rows = sorted(
        {(each.timestamp, each.step, _text(each.value)): each for each in points}.items(),
        key=lambda item: item[0],
    )
    values = [[each.timestamp, each.step, number(each.value)] for _, each in rows]
    return canonical({"key": key, "points": values}) + "\n"


def read_history(text: str) -> dict[str, list[tuple[int, int, float]]]:
    """Return (timestamp, step, value) of each metric from what `history_line` wrote."""
    found = {}
    for line in text.splitlines():
        parsed = json.loads(line)
        found[parsed["key"]] = [
            (int(time), int(step), float(value)) for time, step, value in parsed["points"]
        ]
    return found


def number(value: float) -> float | str:
    """Return a value as JSON can hold it."""
    if math.isnan(value):
        return "NaN"
    if abs(value) >= sys.float_info.max:
        return "Infinity" if value > 0 else "-Infinity"
    return float(value) + 0.0  # stores differ in whether they keep the sign of zero


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and without spaces; floats by `repr`."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def _text(value: float) -> str:
    return str(number(value))
