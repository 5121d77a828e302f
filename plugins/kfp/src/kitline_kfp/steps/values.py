"""Values on their way through KFP, which makes every number a float and checks few types."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXACT = 2**53
_DEPTH_LIMIT = 100


def whole_numbers(value: Any, where: str = "parameters") -> Any:
    """Return a JSON value in which whole floats are integers again, at any depth.

    Through KFP 3 comes as 3.0; both have to give the digest that a script's 3 gives.

    Raises:
        UsageError: naming what JSON has not, such as NaN, or what is nested over 100 deep.
    """
    return _whole(value, where, _DEPTH_LIMIT)


def _whole(value: Any, where: str, depth: int) -> Any:
    if depth == 0:
        raise UsageError(f"{where[:80]}…: it is nested over {_DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise UsageError(f"{where}: the key {key!r} is not a text")
        return {key: _whole(each, f"{where}.{key}", depth - 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each, f"{where}[{index}]", depth - 1) for index, each in enumerate(value)]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, numbers.Integral):  # numpy's are no int
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    raise UsageError(f"{where}: {value!r:.80} cannot be written as JSON; give a number or a text")


def texts(given: str | Iterable[str], what: str) -> list[str]:
    """Return a list of texts; one text alone is a list of one.

    Raises:
        UsageError: if something else is among them, which KFP lets pass.
    """
    listed = [given] if isinstance(given, str) else list(given)
    for index, each in enumerate(listed):
        if not isinstance(each, str):
            raise UsageError(f"{what}[{index}] is {each!r:.80}, and has to be a text")
    return listed
