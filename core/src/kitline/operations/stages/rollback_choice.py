"""What a stage can go back to: kits that it held, that are good, there, and not revoked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, NotFound, PolicyError, UsageError
from kitline.operations.policy.gate import check_use
from kitline.operations.stages.rollback_revoked import find_revocation

if TYPE_CHECKING:
    from datetime import datetime

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference, Stores
    from kitline.promotion.history import History
    from kitline.store.interface import Store

_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})\Z")


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
        if moment is not None and (held := history.until(moment)) and held[-1].kit == history.kit:
            return held[-1].kit  # what it held then is what it holds
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
