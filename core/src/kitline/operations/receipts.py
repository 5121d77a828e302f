"""Receipts: the small summary of a kit that each tool keeps in its own place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.oci import media_types
from kitline.plugin.receipt import Receipt, ReceiptLayer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.kit.kitfile import KitPart
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import ImageManifest
    from kitline.plugin.parent import Parent
    from kitline.plugin.records import Origin
    from kitline.store.interface import Store


def make_receipt(
    store: Store,
    manifest: ImageManifest,
    layers: Iterable[tuple[KitPart, Descriptor]],
    *,
    tag: str | None,
    origin: Origin | None,
    parents: Sequence[Parent] = (),
) -> Receipt:
    """Summarise a kit, given as its entries with their layers (design.md section 9)."""
    return Receipt(
        digest=manifest.digest,
        reference=str(store.pin(manifest.digest)),
        repository=store.name,
        tag=tag,
        created=manifest.annotations.get(media_types.CREATED),
        source=origin.source if origin else None,
        parents=tuple(parents),
        layers=tuple(
            ReceiptLayer(path=part.clean_path, type=part.base, digest=layer.digest, size=layer.size)
            for part, layer in layers
        ),
    )
