"""What attaching statements to a kit did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.plugin.records import Statement


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What attaching several statements did."""

    said: tuple[tuple[Digest, Statement], ...] = ()
    """Each statement with the digest of its referrer."""
    warnings: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[Digest, ...]:
        """The digests of the referrers."""
        return tuple(digest for digest, _ in self.said)

    def __add__(self, other: Attached) -> Attached:
        return Attached(said=self.said + other.said, warnings=self.warnings + other.warnings)


NOTHING_ATTACHED = Attached()
