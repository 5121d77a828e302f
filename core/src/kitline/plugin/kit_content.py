"""Kit content: what exporters do with a kit's layers, unpack them or read them file by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.kit.load import load_kit
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.kit.kitfile import KitPart
    from kitline.kit.staging import Overwrite
    from kitline.kit.tar_reader import TarSink
    from kitline.oci.descriptor import Descriptor
    from kitline.plugin.records import Kit
    from kitline.store.progress import Progress


def _every(part: KitPart) -> bool:
    return True


def kit_layers(
    kit: Kit, *, select: Callable[[KitPart], bool] = _every
) -> tuple[tuple[KitPart, Descriptor], ...]:
    """Return each selected entry of the Kitfile with its layer.

    Raises:
        InvalidConfig: if config and layers do not fit each other.
    """
    loaded = load_kit(kit.store, kit.manifest, name=str(kit.reference))
    return tuple((part, layer) for part, layer in loaded.layers if select(part))


def unpack_kit(
    kit: Kit,
    folder: Path,
    *,
    select: Callable[[KitPart], bool] = _every,
    existing: Overwrite = "refuse",
    durable: bool = True,
    progress: Progress = SILENT,
) -> tuple[str, ...]:
    """Unpack the selected entries, without the Kitfile; return warnings.

    Raises:
        VerificationError: if content is not what its digest promises; nothing is kept.
        UnsafeLayer: if a layer holds what could do harm; nothing is kept.
        TargetError: if files are in the way; nothing was changed then.
    """
    from kitline.kit.unpack import Pick, unpack

    loaded = load_kit(kit.store, kit.manifest, name=str(kit.reference))
    pick = Pick(
        store=kit.store,
        layers=[(part, layer) for part, layer in loaded.layers if select(part)],
        trusts_diff_ids=loaded.format == "modelkit",
    )
    done = unpack(
        [pick],
        folder,
        existing=existing,
        durable=durable,
        limits=kit.limits,
        progress=progress,
    )
    return done.warnings


def read_kit(
    kit: Kit,
    sink: TarSink,
    *,
    select: Callable[[KitPart], bool] = _every,
    progress: Progress = SILENT,
) -> None:
    """Read the selected layers to their ends, verified, into `sink`; nothing is written to disk.

    What `sink` took counts only when this returns: a layer is verified as a whole.

    Raises:
        VerificationError: if content is not what its digest promises.
        UnsafeLayer: if a layer holds what could do harm.
    """
    from kitline.kit.scan import read_layer

    for part, layer in kit_layers(kit, select=select):
        read_layer(kit.store, part, layer, sink, limits=kit.limits, progress=progress)
