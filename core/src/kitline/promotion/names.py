"""Names: what a stage may be called, and the tags of its records.

A record of the stage `production` has the tag `production.p-<seq>-<16 hex of its digest>`: one tag
per record means append only, so no writer ever replaces another's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.oci.reference import is_tag

if TYPE_CHECKING:
    from kitline.oci.digest import Digest

SEQ_LIMIT = 10**9 - 1
"""The highest number that a record may have."""
STAGE_LIMIT = 128 - len(f".p-{SEQ_LIMIT}-") - 16
"""Most characters of a stage's name, so that the tags of its records fit into 128."""
CUSTOMARY = ("champion", "challenger", "staging", "production")
"""Stages that are looked for even where no record names them."""
_MARK = ".p-"
_RECORD = re.compile(r"(?P<stage>.+)\.p-(?P<seq>[1-9][0-9]{0,8})-(?P<hex>[0-9a-f]{16})\Z")
_OWN = (
    (re.compile(r"kit-[0-9a-f]{32}\Z"), "the tags that kits keep for themselves"),
    (re.compile(r"sha(256|512)-[0-9a-f]+"), "the tags of referrers and signatures"),
    (re.compile(r"[0-9a-f]{32}\."), "the tags of referrers"),
)


@dataclass(frozen=True, order=True, kw_only=True)
class RecordTag:
    """The parts of a record's tag; hints until the record itself is read."""

    stage: str
    seq: int
    hex: str

    def __str__(self) -> str:
        return f"{self.stage}{_MARK}{self.seq}-{self.hex}"


def record_tag(stage: str, seq: int, digest: Digest) -> str:
    """Return the tag of a record."""
    return str(RecordTag(stage=stage, seq=seq, hex=digest.hex[:16]))


def record_prefix(stage: str) -> str:
    """Return what the tags of all records of a stage begin with."""
    return f"{stage}{_MARK}"


def find_record_tag(tag: str) -> RecordTag | None:
    """Read the tag of a record; None if it is another tag."""
    found = _RECORD.match(tag)
    if found is None:
        return None
    return RecordTag(stage=found["stage"], seq=int(found["seq"]), hex=found["hex"])


def check_stage(stage: str) -> str:
    """Return the name of a stage.

    Raises:
        UsageError: if it cannot be a tag, leaves no room for its records, or looks like one of the
            tags that kitline and cosign write themselves.
    """
    what = f"{stage[:200]!r} cannot be a stage"
    if not is_tag(stage):
        raise UsageError(
            f"{what}: a stage is a tag, which is letters, digits, '_', '.' or '-', beginning"
            " without '.' or '-'"
        )
    if len(stage) > STAGE_LIMIT:
        raise UsageError(
            f"{what}: it has {len(stage)} characters, more than the {STAGE_LIMIT} that leave room"
            " for the tags of its records"
        )
    if _MARK in stage:
        raise UsageError(f"{what}: {_MARK!r} in it looks like the tags of promotion records")
    for pattern, those in _OWN:
        if pattern.match(stage):
            raise UsageError(f"{what}: it looks like {those}; choose another name")
    return stage
