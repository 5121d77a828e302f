"""The promotion record: one move of a stage, as a value and as the predicate of a statement.

The subject of the statement is the kit. What a record says of who, when and why is a claim of
whoever wrote it; only a signature says more.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError, MalformedContent
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.oci.media_types import PROMOTION
from kitline.promotion.names import SEQ_LIMIT, check_stage, record_tag
from kitline.promotion.times import read_time, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ARTIFACT_TYPE = PROMOTION
PREDICATE_TYPE = "https://kitline.io/promotion/v1"
PROMOTE, ROLLBACK = "promote", "rollback"
ACTIONS = (PROMOTE, ROLLBACK)
TEXT_LIMIT = 4096
"""Most characters of a reason; other texts are shorter."""
_SHORT_LIMIT = 512


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a record says: who moved a stage to a kit, when, why and after what."""

    stage: str
    kit: Digest
    seq: int
    previous: Digest | None
    """The record that this one follows; None for the first of a stage."""
    action: str
    nonce: str
    when: datetime
    who: str = ""
    who_from: str = ""
    """Where that name comes from: `git config`, `environment GITHUB_ACTOR`…."""
    reason: str = ""
    repository: str = ""
    """The repository as its writer named it."""
    run: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The run that did it: `system`, `id`, `url`."""

    def to_predicate(self) -> dict[str, Any]:
        """Return what the statement says of the kit."""
        return {
            "stage": self.stage,
            "action": self.action,
            "seq": self.seq,
            "previous": None if self.previous is None else str(self.previous),
            "nonce": self.nonce,
            "when": time_text(self.when),
            "who": self.who,
            "whoFrom": self.who_from,
            "reason": self.reason,
            "repository": self.repository,
            "run": dict(self.run),
        }

    @classmethod
    def from_predicate(cls, kit: Digest, fields: Mapping[str, Any]) -> Move:
        """Read what a statement says of `kit`; fields of later versions are left alone.

        Raises:
            MalformedContent: naming the field that is none of ours.
        """
        seq, previous = fields.get("seq"), fields.get("previous")
        if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= SEQ_LIMIT:
            raise MalformedContent(f"seq: {str(seq)[:40]!r} is not a number from 1 to {SEQ_LIMIT}")
        if previous is not None and not isinstance(previous, str):
            raise MalformedContent("previous: is neither a digest nor null")
        if (previous is None) != (seq == 1):
            raise MalformedContent("previous: the first record alone has none")
        action = _text(fields, "action", _SHORT_LIMIT)
        if action not in ACTIONS:
            raise MalformedContent(f"action: {action!r} is none of {', '.join(ACTIONS)}")
        run = fields.get("run", {})
        if not isinstance(run, dict):
            raise MalformedContent("run: is not an object")
        try:
            stage = check_stage(_text(fields, "stage", _SHORT_LIMIT))
            return cls(
                stage=stage,
                kit=kit,
                seq=seq,
                previous=None if previous is None else Digest(previous),
                action=action,
                nonce=_text(fields, "nonce", _SHORT_LIMIT),
                when=read_time(_text(fields, "when", _SHORT_LIMIT)),
                who=_text(fields, "who", _SHORT_LIMIT),
                who_from=_text(fields, "whoFrom", _SHORT_LIMIT),
                reason=_text(fields, "reason", TEXT_LIMIT),
                repository=_text(fields, "repository", _SHORT_LIMIT),
                run={
                    key: _text(run, key, _SHORT_LIMIT)
                    for key in ("system", "id", "url")
                    if key in run
                },
            )
        except MalformedContent:
            raise
        except KitlineError as cause:
            raise MalformedContent(str(cause)) from cause


@dataclass(frozen=True, kw_only=True)
class PromotionRecord(Move):
    """A move that is on record: its digest, and who has signed it."""

    digest: Digest
    """The digest of the record itself."""
    signed: bool = False
    """Whether it carries a signature, by whomever."""
    signed_by: str = ""
    """Who signed it; empty unless that was verified."""
    lost: bool = False
    """Whether another move at the same time won: the stage never stayed here."""

    @property
    def tag(self) -> str:
        """The tag of the record."""
        return record_tag(self.stage, self.seq, self.digest)

    @property
    def order(self) -> tuple[int, Digest]:
        """What decides between records, whoever reads them."""
        return self.seq, self.digest

    def to_json(self) -> dict[str, Any]:
        """Return the record as `--json` prints it."""
        return {
            "record": str(self.digest),
            "tag": self.tag,
            "kit": str(self.kit),
            **self.to_predicate(),
            "signed": self.signed,
            "verifiedWith": self.signed_by or None,
            "lost": self.lost,
        }


def _text(fields: Mapping[str, Any], name: str, limit: int) -> str:
    found = fields.get(name, "")
    if not isinstance(found, str) or len(found) > limit:
        raise MalformedContent(f"{name}: is not a text of at most {limit} characters")
    return found
