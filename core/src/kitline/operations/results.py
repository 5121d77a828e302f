"""What the verbs return: values with `.digest` and `.reference`, and their JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.plugin.receipt import Receipt
    from kitline.plugin.records import WriteBack


@dataclass(frozen=True, kw_only=True)
class KitResult:
    """A kit that was packed, imported, pushed, pulled, copied or tagged.

    `str()` of it is the pinned reference, so it can be passed on as text.
    """

    reference: PinnedReference | LayoutReference
    digest: Digest
    tag: str | None = None
    previous: Digest | None = None
    """What the tag pointed at before, if it moved."""
    moved_bytes: int = 0
    """Bytes of blobs that were written or sent."""
    moved_blobs: int = 0
    existing_blobs: int = 0
    existed: bool = False
    """Whether the source had this kit already, so that nothing was packed."""
    referrers: int = 0
    """Signatures, statements and other referrers that were carried along or attached."""
    receipt: Receipt | None = None
    write_backs: tuple[WriteBack, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    def _repr_html_(self) -> str:
        from kitline.operations.html_table import html_card

        return html_card(
            self.tag or "kit",
            [
                ("kit", self.reference),
                ("tag moved from", self.previous),
                ("blobs", f"{self.moved_blobs} new, {self.existing_blobs} there already"),
                ("attached", self.referrers or ""),
                ("source", (self.receipt.source or "") if self.receipt else ""),
                ("told", ", ".join(each.target for each in self.write_backs if each.ok)),
                ("warnings", "; ".join(self.warnings)),
            ],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "tag": self.tag,
            "previous": None if self.previous is None else str(self.previous),
            "blobs": {
                "moved": self.moved_blobs,
                "existing": self.existing_blobs,
                "bytes": self.moved_bytes,
            },
            "existed": self.existed,
            "referrers": self.referrers,
            "receipt": None if self.receipt is None else self.receipt.to_json(),
            "writeBacks": [
                {"plugin": each.plugin, "target": each.target, "warning": each.warning}
                for each in self.write_backs
            ],
            "warnings": list(self.warnings),
        }
