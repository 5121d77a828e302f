"""Partition keys: a digest, or for promotions `<stage>:<seq>:<digest>`, so that rollbacks count."""

from __future__ import annotations

from dataclasses import dataclass

from kitline.errors import MalformedContent


@dataclass(frozen=True, kw_only=True)
class PartitionKey:
    """What a partition key says; `str()` of it is the key."""

    digest: str
    stage: str | None = None
    seq: int | None = None
    """The number of the promotion in its stage."""

    def __str__(self) -> str:
        if self.stage is None or self.seq is None:
            return self.digest
        return f"{self.stage}:{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> PartitionKey:
        """Read a key.

        Raises:
            MalformedContent: if it is no key of ours.
        """
        from kitline.plugin import Digest

        stage, colon, rest = text.partition(":")
        seq, _, digest = rest.partition(":")
        if colon and seq.isascii() and seq.isdigit() and ":" in digest:
            return cls(stage=stage, seq=int(seq), digest=str(Digest(digest)))
        try:
            return cls(digest=str(Digest(text)))
        except MalformedContent as cause:
            raise MalformedContent(
                f"partition key {text!r} is neither a digest nor 'stage:number:digest'"
            ) from cause
