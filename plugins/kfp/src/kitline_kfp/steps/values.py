"""Values on their way through KFP, which makes every number a float."""

from __future__ import annotations

from typing import Any

_EXACT = 2**53


def whole_numbers(value: Any) -> Any:
    """Return a JSON value in which whole floats are integers again, at any depth.

    Through KFP 3 comes as 3.0; both have to give the digest that a script's 3 gives.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(each) for each in value]
    return value
