"""Rollback: a stage goes back to the last kit that was good."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.operations.defaults import settings_or_default
from kitline.operations.stages.finish import finish
from kitline.operations.stages.mover import make_mover
from kitline.operations.stages.rollback_choice import Choice
from kitline.operations.stores import Stores, read_repository
from kitline.promotion.record import ROLLBACK
from kitline.promotion.times import read_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stages.result import Promotion
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.trust.keys import Signer


def rollback(
    repository: str | AnyReference,
    stage: str,
    *,
    to: str | Digest | None = None,
    before: str | datetime | None = None,
    reason: str = "",
    invocation: Invocation | None = None,
    key: str | Signer | None = None,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    ask_password: Callable[[str], str] | None = None,
) -> Promotion:
    """Point a stage back at the last kit that was good, and put that on record.

    Good is what the stage held, unless somebody rolled back from it and nobody promoted it since,
    or a statement or policy revokes it. Doing it again goes back further.

    Args:
        repository: Where the stage is.
        stage: A tag such as `production`.
        to: A digest that the stage held before, or the first 8 or more of its hex digits.
        before: Go to what was good at that time: RFC 3339, a date, or a span such as `2h`.
        reason: Why, for the record.
        invocation: The run that does it; by default what the environment says.
        key: Private key that signs the record; by default the setting `sign_key`.
        settings: By default those of files and environment.
        plugins: Whose `kitline_promoted` hooks are called; by default the installed ones.
        ask_password: Asked for the password of a key that needs one.

    Raises:
        UsageError: if `to` or `before` make no sense.
        NotFound: if there is nothing good to go back to.
        PromotionLost: if another move at the same time won; both are on record.
    """
    if to is not None and before is not None:
        raise UsageError("roll back to a digest or to before a time, not both")
    moment = None if before is None else read_moment(before, datetime.now(UTC))
    settings = settings_or_default(settings)
    place = read_repository(repository)
    with Stores(settings) as stores:
        store = stores.open(place)
        mover = make_mover(
            store,
            stage,
            reason=reason,
            invocation=invocation,
            key=key,
            settings=settings,
            ask_password=ask_password,
        )
        choice = Choice(store, stage, place, settings, stores)
        moved = mover.move(
            ROLLBACK,
            lambda history: choice.find(history, None if to is None else str(to), moment),
        )
        return finish(
            store,
            stage,
            moved,
            action=ROLLBACK,
            reason=mover.reason,
            settings=settings,
            plugins=plugins,
            warnings=choice.skipped,
        )
