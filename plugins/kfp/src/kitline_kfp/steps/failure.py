"""Failures inside a step: the log ends with one line that says what went wrong.

KFP shows a step's whole traceback, in which people look for the line that matters. What kitline
raises on purpose is meant for people, so it stands alone.
"""

from __future__ import annotations

import os
import sys
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from kitline.errors import KitlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")


def speaks_plainly(function: Callable[P, R]) -> Callable[P, R]:
    """Let a deliberate error that nobody catches end the step with one line; callers may catch."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KitlineError:
            if os.environ.get("_KFP_RUNTIME") == "true":  # this process runs one step, then ends
                sys.excepthook = _print_one_line
            raise

    return call


def one_line(problem: BaseException) -> str:
    """Return what went wrong on one line, without characters that could steer a terminal."""
    joined = "; ".join(line.strip() for line in str(problem).splitlines() if line.strip())
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in joined)


def _print_one_line(
    kind: type[BaseException], problem: BaseException, traceback: TracebackType | None
) -> None:
    if isinstance(problem, KitlineError):
        sys.stderr.write(f"error: {one_line(problem)}\n")
    else:
        sys.__excepthook__(kind, problem, traceback)
