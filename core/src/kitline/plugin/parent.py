"""Parents: what a kit was made from, as its manifest names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.oci.json import encode

if TYPE_CHECKING:
    from kitline.oci.digest import Digest


@dataclass(frozen=True, order=True, kw_only=True)
class Parent:
    """A kit that this one was made from. Only digest and role go into the manifest."""

    digest: Digest
    role: str
    """What it was: `data`, `base`, `code`…."""
    reference: str | None = None
    """Where it was found; goes into the receipt."""


def parents_text(parents: tuple[Parent, ...]) -> str:
    """Return the value of `io.kitline.parents`: canonical JSON, sorted by digest."""
    pairs = sorted({(str(each.digest), each.role) for each in parents})
    return encode([{"digest": digest, "role": role} for digest, role in pairs]).decode()
