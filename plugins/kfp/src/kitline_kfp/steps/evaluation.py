"""Evaluations: what was measured of a model, said beside the kit and never in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin import Statement

from kitline_kfp.steps.values import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

PREDICATE_TYPE = "https://kitline.io/evaluation/v1"
_OWN = ("oci_digest", "oci_reference", "media_type", "display_name", "store_session_info")


def evaluation(metrics: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return metrics as a statement, to be attached to a kit; none if there are none.

    Raises:
        UsageError: if one is no number.
    """
    numbers = numbers_of(metrics)
    if not numbers:
        return ()
    return (Statement(predicate_type=PREDICATE_TYPE, predicate={"metrics": numbers}),)


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics without what KFP and kitline keep among an artifact's metadata.

    Raises:
        UsageError: if one is no number.
    """
    found = {}
    for name, value in metrics.items():
        if name in _OWN or name.startswith("_kfp"):
            continue
        number = _number(value)
        if number is None:
            raise UsageError(
                f"metric {name!r} is {value!r}, which is no number; leave it away, or give the"
                " artifact as docs"
            )
        found[str(name)] = whole_numbers(number)
    return found


def _number(value: object) -> int | float | None:
    if isinstance(value, str):  # clusters and other languages may hand numbers on as texts
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
