"""The program `kitline`: a process of its own, soon at work and gone as soon as all is done."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kitline.stand_in import load, patterns_when_used, standing_in

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread which loads modules may keep one waiting that moves bytes."""


def program() -> None:
    """Run the command line, and end the process."""
    gc.set_threshold(200_000, 20, 20)  # no time for looking through modules for garbage
    sys.setswitchinterval(SWITCH_INTERVAL)
    code: object = None

    def leave() -> None:
        if isinstance(code, int):
            with suppress(OSError, ValueError):
                flush()
            os._exit(code)

    # the first to be registered comes last, when all threads have ended: none of the 70 ms that
    # the interpreter takes to give back, one by one, what ends with it anyway
    if not atexit._ncallbacks():
        atexit.register(leave)
    # click, uuid, dataclasses and gettext need next to nothing of them
    with (
        patterns_when_used(),
        standing_in(
            "inspect", cleandoc=_cleandoc, get_annotations=_get_annotations, signature=_signature
        ),
        standing_in("platform", system=_system),
    ):
        import dataclasses  # noqa: F401

        from kitline.cli.main import flush, main
    try:
        main()
    except SystemExit as stop:
        code = stop.code
        raise


def _cleandoc(text: str) -> Any:
    """Return what `inspect.cleandoc` does; nearly all texts are one line."""
    if text.isprintable() and text == text.strip():
        return text
    return load("inspect").cleandoc(text)


def _get_annotations(about: object, **options: object) -> Any:
    """Return what `inspect.get_annotations` does; dataclasses ask it, from Python 3.12 on."""
    if not isinstance(about, type) or options or sys.version_info >= (3, 14):
        return load("inspect").get_annotations(about, **options)
    found: Mapping[str, object] = vars(about).get("__annotations__", {})
    return dict(found)


def _signature(about: object, **options: object) -> Any:
    """Return what `inspect.signature` does; dataclasses ask for the text of a class without one."""
    return "(...)" if isinstance(about, type) else load("inspect").signature(about, **options)


def _system() -> str:
    """Return what `platform.system` does."""
    return os.uname().sysname
