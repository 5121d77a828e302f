"""Preview: which layers a tree would make, without storing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.kit.memo import NO_MEMO
from kitline.kit.pack import hash_layer, plan_layers
from kitline.kit.spool import Spool
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from kitline.kit.memo import LayerMemo
    from kitline.kit.pack import PackOptions
    from kitline.kit.tree import KitTree
    from kitline.oci.digest import Digest
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class PreviewedLayer:
    """A layer as packing would make it."""

    path: str
    size: int
    """In bytes."""
    digest: Digest | None
    """None if its files have no fingerprints: they are far away, and reading them is dear."""


def preview(
    tree: KitTree,
    *,
    options: PackOptions,
    memo: LayerMemo = NO_MEMO,
    progress: Progress = SILENT,
) -> tuple[PreviewedLayer, ...]:
    """Return the layers that packing would make, in their order.

    Files that have fingerprints are read, unless the memo knows their layer.

    Raises:
        SourceError: if the tree cannot be a kit.
    """
    found = []
    with Spool() as spool:
        for plan in plan_layers(tree, spool.with_sizes(tree.entries()), options, []):
            identity = plan.source.identity
            digest = memo.find(identity) if identity else None
            if identity and digest is None:
                digest = hash_layer(plan.source, plan.part.clean_path, progress)
            found.append(
                PreviewedLayer(path=plan.part.clean_path, size=plan.source.size, digest=digest)
            )
    return tuple(found)
