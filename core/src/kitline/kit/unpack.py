"""Unpack: layers of one or more kits become a folder, all of it or nothing.

Steps: 1 pick layers, 2 extract each into staging while it is verified, 3 the Kitfile, 4 commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import (
    DigestMismatch,
    InvalidConfig,
    InvalidDigest,
    MalformedContent,
    VerificationError,
)
from kitline.frozen import dataclass
from kitline.kit.extract import extract_raw, extract_tar
from kitline.kit.layer_kind import layer_kind
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.kit.staging import Staging
from kitline.oci.digest import Digest
from kitline.store.progress import SILENT
from kitline.store.verify import Located, verify_blob

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kitline.kit.extract import ExtractedLayer
    from kitline.kit.kitfile import KitPart
    from kitline.kit.limits import Limits
    from kitline.kit.staging import FileInStaging, Overwrite
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import Fetcher
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Layers of one kit that are wanted."""

    store: Fetcher
    layers: Sequence[tuple[KitPart, Descriptor]]
    trusts_diff_ids: bool = True
    """False for ModelPacks: kit 1.10 to 1.14 wrote wrong diff ids, so a wrong one is a warning."""
    below: str = ""
    """Folder in the target under which the layers go."""


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What was unpacked: number of layers and their uncompressed bytes."""

    layers: int
    size: int
    warnings: tuple[str, ...]


def unpack(
    picks: Sequence[Pick],
    target: Path,
    *,
    kitfile: bytes | None = None,
    existing: Overwrite = "refuse",
    durable: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> Unpacked:
    """Unpack layers into `target`.

    Nothing appears there before every byte was compared with its digest and, unless `durable` is
    false, is on the disk.

    Raises:
        VerificationError: if a layer is not what the manifest promises.
        UnsafeLayer: if a layer holds what could do harm.
        TargetError: if files are in the way; nothing was changed then.
    """
    warnings: list[str] = []
    done = [(pick, part, layer) for pick in picks for part, layer in _distinct(pick.layers)]
    size = 0
    with Staging(target, existing, durable=durable, limits=limits) as staging:
        for pick, part, layer in done:
            size += _extract(pick, part, layer, staging, warnings, progress).size
        if kitfile is not None:
            staging.write_file("Kitfile", kitfile, may_equal=True)
        staging.commit()
    return Unpacked(layers=len(done), size=size, warnings=tuple(warnings))


def _distinct(
    layers: Sequence[tuple[KitPart, Descriptor]],
) -> Iterator[tuple[KitPart, Descriptor]]:
    """Leave out a tar that was there before: its own names say where it goes, once is enough."""
    seen = set()
    for part, layer in layers:
        kind = layer_kind(layer.media_type)
        key = (layer.digest, part.clean_path if kind and kind.format == "raw" else "")
        if key not in seen:
            seen.add(key)
            yield part, layer


def _extract(
    pick: Pick,
    part: KitPart,
    layer: Descriptor,
    staging: Staging,
    warnings: list[str],
    progress: Progress,
) -> ExtractedLayer:
    kind = layer_kind(layer.media_type)
    if kind is None:
        raise InvalidConfig(f"{part.field}: {layer.media_type!r} is not the type of a kit's layer")
    claimed = _diff_id(part)
    place = _Below(staging, pick.below) if pick.below else staging
    what = f"layer {part.clean_path!r}"
    task = progress.begin(part.clean_path, layer.size)
    expected = claimed if pick.trusts_diff_ids else None
    stream = pick.store.fetch(layer)
    try:
        if kind.format == "raw":
            found = extract_raw(
                stream,
                place,
                layer,
                path=_raw_path(part, layer),
                compression=kind.compression,
                diff_id=expected,
                what=what,
                task=task,
            )
        else:
            found = extract_tar(
                stream,
                place,
                layer,
                compression=kind.compression,
                diff_id=expected,
                what=what,
                task=task,
            )
    except (VerificationError, MalformedContent):
        if isinstance(stream, Located):
            verify_blob(pick.store, layer, what)  # a damaged file is to blame, so name that
        raise
    if claimed is not None and found.diff_id != claimed:
        problem = DigestMismatch(
            f"{what}, uncompressed", expected=str(claimed), actual=str(found.diff_id)
        )
        warnings.append(f"wrong diffId, as kit 1.10 to 1.14 wrote them: {problem}")
    task.end("unpacked")
    return found


def _diff_id(part: KitPart) -> Digest | None:
    if part.diff_id is None:
        return None
    try:
        return Digest(part.diff_id)
    except InvalidDigest as cause:
        raise InvalidConfig(f"{part.field}.diffId: {cause.reason}") from cause


def _raw_path(part: KitPart, layer: Descriptor) -> str | None:
    """Return where a raw layer goes: its annotation decides, else the Kitfile."""
    from kitline.kit.layer_kind import find_filepath

    return find_filepath(layer) or part.clean_path


class _Below:
    """A staging whose paths begin in a folder of their own."""

    def __init__(self, staging: Staging, folder: str) -> None:
        self._staging = staging
        self._folder = folder
        self.limits = staging.limits

    def add_folder(self, path: str, mode: int) -> None:
        self._staging.add_folder(f"{self._folder}/{path}", mode)

    def create_file(self, path: str, mode: int, size: int | None) -> FileInStaging:
        return self._staging.create_file(f"{self._folder}/{path}", mode, size)
