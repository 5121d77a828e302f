"""Rollback: a stage goes back to the last kit that was good."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, NotFound, PolicyError, UsageError
from kitline.operations.defaults import settings_or_default
from kitline.operations.policy import check_use
from kitline.operations.promote import finish, make_mover, read_repository
from kitline.operations.stores import Stores
from kitline.promotion.record import ROLLBACK
from kitline.promotion.times import read_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.oci.digest import Digest
    from kitline.operations.promote import Promotion
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.promotion.history import History
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer

_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})\Z")


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


class Choice:
    """Finds what a stage can go back to; `skipped` says what was passed over and why."""

    def __init__(
        self, store: Store, stage: str, place: AnyReference, settings: Settings, stores: Stores
    ) -> None:
        self._store = store
        self._stage = stage
        self._place = place
        self._settings = settings
        self._stores = stores
        self.skipped: list[str] = []

    def find(self, history: History, to: str | None, moment: datetime | None) -> Digest:
        """Return the kit to go back to.

        Raises:
            NotFound: if there is none.
            UsageError: if the kit that was named is not good.
        """
        name = f"stage {self._stage!r} of {self._store.name!r}"
        if history.head is None:
            raise NotFound(f"{name} has no history: nothing was ever promoted to it")
        if to is not None:
            return self._named(history, to, name)
        for kit in history.good(until=moment):
            problem = self._problem(kit)
            if problem is None:
                return kit
            self.skipped.append(f"passed over {kit}: {problem}")
        when = "" if moment is None else f" before {moment.isoformat(timespec='seconds')}"
        why = "".join(f"\n  {each}" for each in self.skipped)
        bad = history.rolled_back_from() - {history.kit}
        if bad:
            why += (
                f"\n  rolled back from, and not promoted since: {', '.join(map(str, sorted(bad)))}"
            )
        raise NotFound(f"{name} holds {history.kit}, and it held nothing else good{when}{why}")

    def _named(self, history: History, to: str, name: str) -> Digest:
        asked = _PREFIX.match(to)
        if asked is None:
            raise UsageError(f"{to!r} is not a digest, nor the first 8 or more of its hex digits")
        found = sorted(each for each in history.kits if each.hex.startswith(asked[1]))
        if len(found) != 1:
            which = "several kits" if found else "no kit"
            raise UsageError(
                f"{name} held {which} {to!r}; 'kitline stages {self._store.name} --history"
                f" {self._stage}' lists what it held, and 'kitline promote' takes any kit"
            )
        kit = found[0]
        if kit == history.kit:
            return kit
        again = f"'kitline promote {self._store.name}@{kit} {self._stage}' makes it good again"
        if kit in history.rolled_back_from():
            raise UsageError(f"{name} was rolled back from {kit}; {again}")
        problem = self._problem(kit)
        if problem is not None:
            raise PolicyError(f"{name} cannot go back to {kit}: {problem}")
        return kit

    def _problem(self, kit: Digest) -> str | None:
        """Return why a kit may not be used any more; None if it may."""
        from kitline.operations.rollback_revoked import find_revocation

        manifest = self._store.find_manifest(kit)
        if manifest is None:
            return "it is not there any more"
        revoked = find_revocation(self._store, kit)
        if revoked is not None:
            return revoked
        try:
            check_use(
                self._store,
                manifest,
                self._place.pin(kit),
                use="roll back to",
                settings=self._settings,
                stores=self._stores,
            )
        except PolicyError as cause:
            return str(cause)
        except KitlineError as cause:
            return f"a policy could not be asked: {cause}"
        return None
