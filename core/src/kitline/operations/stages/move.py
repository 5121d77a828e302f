"""Moving a stage: put it on record, look who won, and make the tag say what the records say.

Steps: (1) read the history, (2) decide, (3) write the record, which is the commit, (4) read the
history back and point the tag at what its head holds, until nothing new was recorded meanwhile.
Whoever set the tag last has read the records after that, so a crash between any two requests leaves
at worst a tag that the next writer repairs.
"""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitline.errors import PromotionLost, ReferenceMoved, StoreError, TagConflict, UsageError
from kitline.frozen import dataclass
from kitline.operations.stages.records import RecordReader, write_record
from kitline.promotion.exclusive import exclusive
from kitline.promotion.names import SEQ_LIMIT
from kitline.promotion.record import Move, PromotionRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.oci.digest import Digest
    from kitline.promotion.history import History
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer

ROUNDS = 20
"""How often the tag is set again when others keep moving the stage."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Mover:
    """Who moves a stage of a store, and how; all but `store` and `stage` goes on record."""

    store: Store
    stage: str
    who: str = ""
    who_from: str = ""
    reason: str = ""
    run: dict[str, str] | None = None
    signer: Signer | None = None
    workers: int = 4
    clock: Callable[[], datetime] = _now

    def move(self, action: str, decide: Callable[[History], Digest]) -> Moved:
        """Move the stage to the kit that `decide` names when it sees the history.

        If the stage holds that kit already nothing is recorded; a tag that differs is repaired.

        Raises:
            PromotionLost: if another move at the same time won; both are on record.
            ManifestNotFound: if the store does not hold the kit; nothing is recorded.
        """
        reader = RecordReader(self.store, self.stage, workers=self.workers)
        with exclusive(self.store):
            history = reader.read().history  # 1
            kit = decide(history)  # 2
            manifest = self.store.get_manifest(kit)
            record = None
            if history.kit != kit:
                record = write_record(  # 3
                    self.store, manifest, self._draft(action, kit, history.head), self.signer
                )
            return self._settle(reader, history, kit, record)  # 4

    def _draft(self, action: str, kit: Digest, head: PromotionRecord | None) -> Move:
        seq = 1 if head is None else head.seq + 1
        if seq > SEQ_LIMIT:
            raise UsageError(
                f"stage {self.stage!r} of {self.store.name!r} has had {SEQ_LIMIT} moves, and no"
                f" number is left for another; if {head.tag if head else ''!r} is none of yours,"
                " remove that tag, or use another stage"
            )
        return Move(
            stage=self.stage,
            kit=kit,
            seq=seq,
            previous=None if head is None else head.digest,
            action=action,
            nonce=secrets.token_hex(16),
            when=self.clock(),
            who=self.who,
            who_from=self.who_from,
            reason=self.reason,
            repository=self.store.name,
            run=self.run or {},
        )

    def _settle(
        self,
        reader: RecordReader,
        before: History,
        kit: Digest,
        record: PromotionRecord | None,
    ) -> Moved:
        history, tagged, warnings = settle_tag(self.store, self.stage, reader, record)
        moved = Moved(
            kit=kit,
            record=record,
            head=history.head,
            previous=before.kit,
            tag_before=tagged,
            history=history,
            warnings=tuple(warnings),
        )
        if record is None:
            return moved
        mine = history.find(record.digest)
        if mine is None:
            raise StoreError(
                f"moving stage {self.stage!r} of {self.store.name!r} to {kit}: the record"
                f" {record.digest} was written and is not among those that are read back; look at"
                f" 'kitline stages {self.store.name}' before you try again"
            )
        if mine.lost and history.kit != kit:
            winner = history.head
            assert winner is not None
            raise PromotionLost(
                f"moving stage {self.stage!r} of {self.store.name!r} to {kit}: another move at the"
                f" same time won, and the stage holds {winner.kit} (record {winner.digest}"
                f"{f' by {winner.who}' if winner.who else ''}); yours is on record as"
                f" {mine.digest}; run it again if it shall hold",
                record=str(mine.digest),
                winner=str(winner.digest),
            )
        if history.kit != kit:
            held = f"it holds {history.kit} now"
            warnings.append(f"stage {self.stage!r} has been moved on meanwhile; {held}")
        return replace(moved, warnings=tuple(warnings))


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What moving a stage did."""

    kit: Digest
    record: PromotionRecord | None
    """None if the stage held the kit already."""
    head: PromotionRecord | None
    previous: Digest | None
    """What the stage held before, by its history."""
    tag_before: Digest | None
    """What the tag pointed at before."""
    history: History
    warnings: tuple[str, ...] = ()


def settle_tag(
    store: Store, stage: str, reader: RecordReader, record: PromotionRecord | None = None
) -> tuple[History, Digest | None, list[str]]:
    """Point the tag at what the head of the history holds; return that, and where the tag was.

    Raises:
        TagConflict: if the registry does not let it move; the record stands.
    """
    first: Digest | None = None
    history = reader.read().history
    for number in range(ROUNDS):
        tags = reader.list_tags()
        history = reader.read(tags).history
        if history.kit is None:
            return history, first, []
        try:
            previous = store.set_tag(stage, store.get_manifest(history.kit))
        except ReferenceMoved:  # another writer, who looks at the records after that as well
            _step_aside(number)
            continue
        except TagConflict as cause:
            stands = f" (it is on record as {record.digest})" if record is not None else ""
            raise TagConflict(
                f"stage {stage!r} of {store.name!r} moved by its history{stands}, but its tag"
                f" cannot follow: {cause}"
            ) from cause
        first = previous if number == 0 else first
        if reader.list_tags() == tags:
            return history, first, []
    busy = f"others keep moving stage {stage!r} of {store.name!r}; its tag may lag behind"
    return history, first, [busy]


def _step_aside(number: int) -> None:
    time.sleep(random.uniform(0.0, 0.05 * (number + 1)))
