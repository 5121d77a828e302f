"""What promote and rollback return: a stage that points at a kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.operations.html_table import html_card
from kitline.promotion.record import PROMOTE

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.plugin.records import WriteBack


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A stage that points at a kit; `str()` of it is the pinned reference."""

    stage: str
    reference: PinnedReference | LayoutReference
    """The kit in the repository of the stage."""
    digest: Digest
    previous: Digest | None
    """What the stage held before."""
    record: Digest | None
    """The record that put the kit there; this call's, or the older one if nothing changed."""
    seq: int
    """The number of that record in the history of the stage."""
    changed: bool
    """False if the stage held the kit already, so that nothing was recorded."""
    action: str = PROMOTE
    reason: str = ""
    write_backs: tuple[WriteBack, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    def _repr_html_(self) -> str:
        return html_card(
            f"{self.stage}: record {self.seq}",
            [
                ("kit", self.reference),
                ("before", self.previous),
                ("reason", self.reason),
                ("told", ", ".join(each.target for each in self.write_backs if each.ok)),
                ("warnings", "; ".join(self.warnings)),
            ],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "stage": self.stage,
            "reference": str(self.reference),
            "digest": str(self.digest),
            "previous": None if self.previous is None else str(self.previous),
            "record": None if self.record is None else str(self.record),
            "seq": self.seq,
            "changed": self.changed,
            "action": self.action,
            "reason": self.reason,
            "writeBacks": [
                {"plugin": each.plugin, "target": each.target, "warning": each.warning}
                for each in self.write_backs
            ],
            "warnings": list(self.warnings),
        }
