"""Contents: the parts of a kit as files, for exporters; verified before anything appears.

One part is one layer, so an exporter that unpacks part after part needs the space of the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.kit.load import kit_format
from kitline.kit.pairing import pair_parts
from kitline.kit.unpack import Pick, unpack
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.kit.kitfile import KitPart
    from kitline.oci.descriptor import Descriptor
    from kitline.plugin.records import Kit
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class KitContent:
    """One local entry of a kit's Kitfile, and the layer that holds it."""

    part: KitPart
    layer: Descriptor


def kit_contents(kit: Kit) -> tuple[KitContent, ...]:
    """Return what a kit holds, in the Kitfile's order.

    Raises:
        InvalidConfig: naming the entry that has no layer.
    """
    pairs = pair_parts(kit.kitfile, kit.manifest.layers)
    return tuple(KitContent(part=part, layer=layer) for part, layer in pairs)


def unpack_content(
    kit: Kit, content: KitContent, folder: Path, *, progress: Progress = SILENT
) -> tuple[str, ...]:
    """Unpack one part into a folder, below the path that its layer names; return warnings.

    Files appear when the whole layer was compared with its digest; they need not be on the disk
    yet.

    Raises:
        VerificationError: if the layer is not what the manifest promises.
        UnsafeLayer: if it holds what could do harm.
        TargetError: if files are in the way.
    """
    pick = Pick(
        store=kit.store,
        layers=[(content.part, content.layer)],
        trusts_diff_ids=kit_format(kit.manifest) == "modelkit",
    )
    return unpack([pick], folder, durable=False, progress=progress).warnings
