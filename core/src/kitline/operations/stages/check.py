"""The check of a promotion: a command that is run when the stage has moved, and what follows.

If it fails, or is interrupted, the stage goes back by itself, and that is on record as well.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, PromotionUndone
from kitline.operations.stages.records import RecordReader
from kitline.plugin.redact import without_passwords
from kitline.promotion.record import ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.oci.digest import Digest
    from kitline.operations.stages.move import Moved, Mover
    from kitline.promotion.history import History


def check_promotion(
    command: str, mover: Mover, moved: Moved, choose: Callable[[History], Digest]
) -> Moved:
    """Run the check of a promotion; `choose` says where the stage goes back to if it fails.

    Returns the move with the history as it is after the check, which may take long.

    The command runs in a shell and finds `KITLINE_REFERENCE` (pinned), `KITLINE_DIGEST`,
    `KITLINE_STAGE` and `KITLINE_PREVIOUS` in its environment. What it prints goes to stderr, since
    stdout is the result's.

    Raises:
        PromotionUndone: if it fails; the message says where the stage is now.
    """
    name = f"stage {mover.stage!r} of {mover.store.name!r}"
    try:
        code = _run(command, mover, moved)
    except BaseException as stopped:
        _go_back(mover, moved, choose, "the check was interrupted", name)
        raise stopped
    if code == 0:
        return replace(moved, history=_read(mover))
    ended = f"ended with {code}" if code >= 0 else f"was killed by signal {-code}"
    found = f"the check {without_passwords(command)!r} {ended}"
    left = _go_back(mover, moved, choose, found, name)
    raise PromotionUndone(f"{found}; {left[0]}", digest=str(left[1]))


def _run(command: str, mover: Mover, moved: Moved) -> int:
    told = {
        "KITLINE_REFERENCE": str(mover.store.pin(moved.kit)),
        "KITLINE_DIGEST": str(moved.kit),
        "KITLINE_STAGE": mover.stage,
        "KITLINE_PREVIOUS": str(moved.previous or ""),
    }
    done = subprocess.run(  # the user's own command line
        command,
        shell=True,
        check=False,
        env={**os.environ, **told},
        stdin=subprocess.DEVNULL,
        stdout=2,
    )
    return done.returncode


def _go_back(
    mover: Mover, moved: Moved, choose: Callable[[History], Digest], reason: str, name: str
) -> tuple[str, Digest]:
    """Roll the stage back, unless somebody has moved it on; say where it is now."""
    record, history = moved.record, _read(mover)
    if record is None or history.head is None or history.head.digest != record.digest:
        return f"{name} has been moved on meanwhile and holds {history.kit}", moved.kit
    try:
        back = replace(mover, reason=reason).move(ROLLBACK, choose)
    except KitlineError as cause:
        return f"{name} could not go back and still holds {moved.kit}: {cause}", moved.kit
    return f"{name} went back to {back.kit}", back.kit


def _read(mover: Mover) -> History:
    return RecordReader(mover.store, mover.stage, workers=mover.workers).read().history
