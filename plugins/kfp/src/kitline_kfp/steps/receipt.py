"""Receipts of kits that exist already: what a pull or an export leaves beside the content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.plugin import Digest, Parent, Receipt, ReceiptLayer, kit_layers

if TYPE_CHECKING:
    from kitline.plugin import Kit

_PARENTS = "io.kitline.parents"
_CREATED = "org.opencontainers.image.created"


def receipt_of(kit: Kit) -> Receipt:
    """Return the receipt of an open kit."""
    reference = str(kit.reference)
    return Receipt(
        digest=kit.manifest.digest,
        reference=reference,
        repository=reference.rpartition("@")[0],
        created=kit.manifest.annotations.get(_CREATED),
        parents=_parents(kit),
        layers=tuple(
            ReceiptLayer(
                path=part.clean_path, type=part.drawer, digest=layer.digest, size=layer.size
            )
            for part, layer in kit_layers(kit)
        ),
    )


def _parents(kit: Kit) -> tuple[Parent, ...]:
    """Read the parents; a kit that others made may say nonsense there, which counts as nothing."""
    try:
        listed = json.loads(kit.manifest.annotations.get(_PARENTS, "[]"))
        return tuple(
            Parent(digest=Digest(each["digest"]), role=str(each["role"])) for each in listed
        )
    except (ValueError, KeyError, TypeError, RecursionError, KitlineError):
        return ()
