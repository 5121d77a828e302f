"""After a move: the tools are told, and what happened becomes a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.operations.defaults import plugins_or_default
from kitline.operations.stages.result import Promotion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.operations.settings import Settings
    from kitline.operations.stages.move import Moved
    from kitline.plugin.manager import Plugins
    from kitline.plugin.records import WriteBack
    from kitline.store.interface import Store


def finish(
    store: Store,
    stage: str,
    moved: Moved,
    *,
    action: str,
    reason: str,
    settings: Settings,
    plugins: Plugins | None,
    warnings: Sequence[str] = (),
) -> Promotion:
    """Tell the tools of a move, and return the result.

    Raises:
        WriteBackFailed: if one was not told and the setting `write_back` is `require`.
    """
    record = moved.record or moved.head
    write_backs: tuple[WriteBack, ...] = ()
    # if it has been moved on meanwhile, whoever did that tells them, and later
    if moved.record is not None and moved.history.kit == moved.kit:
        write_backs = tell_tools(
            plugins_or_default(plugins, settings), store, stage, moved, settings
        )
    return Promotion(
        stage=stage,
        reference=store.pin(moved.kit),
        digest=moved.kit,
        previous=moved.previous,
        record=None if record is None else record.digest,
        seq=0 if record is None else record.seq,
        changed=moved.record is not None,
        action=action,
        reason=reason,
        write_backs=write_backs,
        warnings=(*warnings, *_outside(store, stage, moved), *moved.warnings),
    )


def tell_tools(
    plugins: Plugins, store: Store, stage: str, moved: Moved, settings: Settings
) -> tuple[WriteBack, ...]:
    """Call the `kitline_promoted` hooks; raises as `finish`."""
    from kitline.errors import WriteBackFailed
    from kitline.operations.origins import find_origin
    from kitline.plugin.records import PromotedEvent

    record = moved.record
    if settings.write_back == "off" or record is None:
        return ()
    pinned = store.pin(moved.kit)
    event = PromotedEvent(
        reference=pinned,
        stage=stage,
        previous=moved.previous,
        origin=find_origin(settings, moved.kit),
        seq=record.seq,
        record=record.digest,
        action=record.action,
        reason=record.reason,
    )
    results = tuple(plugins.promoted(event))
    failed = [each for each in results if not each.ok]
    if failed and settings.write_back == "require":
        reasons = "; ".join(f"{each.plugin}: {each.warning}" for each in failed)
        raise WriteBackFailed(
            f"stage {stage!r} points at {pinned}, but not written back: {reasons}",
            reference=str(pinned),
        )
    return results


def _outside(store: Store, stage: str, moved: Moved) -> list[str]:
    """Say that the tag had been moved by something else, which is repaired now."""
    tagged = moved.tag_before
    if tagged is None or moved.history.explains(tagged, moves=2 if moved.record else 1):
        return []
    return [
        f"the tag {stage!r} of {store.name!r} pointed at {tagged}, which no record explains:"
        " it had been moved outside kitline"
    ]
