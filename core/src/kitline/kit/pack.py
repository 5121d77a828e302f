"""Pack: a KitTree becomes a ModelKit in a store, in one pass over its files.

The manifest is a function of the tree and of what the caller says of it; no clock, no host and no
user enter it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import field
from functools import cache, partial
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.frozen import dataclass
from kitline.kit.kit_config import to_config
from kitline.kit.layer import TarLayer
from kitline.kit.layer_entries import layer_entries
from kitline.kit.mcpb import check_mcp_bundle
from kitline.kit.memo import NO_MEMO, is_settled
from kitline.kit.partitions import Partitions
from kitline.kit.raw_layer import RawLayer, file_metadata
from kitline.kit.spool import Spool
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest, Hasher
from kitline.oci.manifest import ImageManifest
from kitline.store.interface import SizeChecker
from kitline.store.parallel import run_all
from kitline.store.pipeline import hash_stream
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Protocol

    from kitline.kit.kitfile import Kitfile, KitPart
    from kitline.kit.memo import LayerMemo
    from kitline.kit.tree import Entry, KitTree
    from kitline.store.interface import BlobFinder, BlobPusher, ManifestPusher
    from kitline.store.progress import Progress

    class Target(BlobFinder, BlobPusher, ManifestPusher, Protocol):
        """What packing needs of a store."""


LARGE = 4 << 20
"""Layers from this many bytes on are packed two at a time, so that memory stays small, and are
worth a look at what the store may hold already; smaller ones the store itself hashes first."""


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """What is said of a kit besides its files; all of it ends up in the manifest."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    layer_format: str = "tar"
    """`tar`, or `raw` for layers that are one file (readable by kit 1.15 and newer)."""
    keep_mtime: bool = False
    """Whether raw layers tell the time of their file, which then changes the digest."""
    remote_paths: tuple[str, ...] = ()
    """Paths that belong to the kit that `model.path` refers to, left out here."""


@dataclass(frozen=True, kw_only=True)
class PackedLayer:
    """One layer that is now in the store."""

    part: KitPart
    descriptor: Descriptor
    existed: bool


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A kit that is now in the store, without a tag yet."""

    manifest: ImageManifest
    kitfile: Kitfile
    layers: tuple[PackedLayer, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """A layer to make."""

    part: KitPart
    source: TarLayer | RawLayer
    media_type: str
    annotations: Mapping[str, str]

    @property
    def is_raw(self) -> bool:
        return isinstance(self.source, RawLayer)


def pack(
    tree: KitTree,
    store: Target,
    *,
    options: PackOptions = PackOptions(),
    memo: LayerMemo = NO_MEMO,
    previous: Callable[[], ImageManifest | None] = lambda: None,
    concurrency: int = 4,
    progress: Progress = SILENT,
) -> Packed:
    """Pack a tree into a store: layers, then config, then manifest.

    `previous` finds the kit that this one probably resembles, and is asked only where a large
    layer would have to be sent: one of the same path and size is hashed first, since the store
    may hold it.

    Raises:
        SourceError: if the tree cannot be a kit.
        SourceChanged: if a file changed meanwhile; nothing is named by the store then.
    """
    with Spool() as spool:
        entries = spool.with_sizes(tree.entries())
        warnings = [*tree.warnings, *spool.warnings]
        plans = plan_layers(tree, entries, options, warnings)
        if isinstance(store, SizeChecker):
            for plan in plans:
                store.check_size(plan.source.size, plan.part.clean_path)
        _check_raw_layers(plans)
        known = cache(lambda: _sizes_by_path(previous()))
        tasks = [partial(_push_layer, plan, store, memo, known) for plan in plans]
        layers = run_all(tasks, workers=min(concurrency, _workers(plans)), progress=progress)
    digests = {
        layer.part.field: (str(layer.descriptor.digest), str(layer.descriptor.digest))
        for layer in layers
    }
    kitfile = tree.kitfile.with_digests(digests)
    config = to_config(kitfile)
    stored = store.push_blob(
        BytesSource(config),
        digest=Digest.of(config),
        is_new=not all(layer.existed for layer in layers),  # it holds the digests of all
        name="config",
    )
    manifest = ImageManifest.build(
        artifact_type=media_types.MODELKIT_MANIFEST,
        config=Descriptor(
            media_type=media_types.MODELKIT_CONFIG, digest=stored.digest, size=stored.size
        ),
        layers=[layer.descriptor for layer in layers],
        annotations=_annotations(options),
    )
    store.push_manifest(manifest)
    return Packed(
        manifest=manifest, kitfile=kitfile, layers=tuple(layers), warnings=tuple(warnings)
    )


def created_text(created: datetime) -> str:
    """Return a time as the annotation has it: UTC, RFC 3339, to the second."""
    from datetime import UTC

    return created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _annotations(options: PackOptions) -> dict[str, str]:
    found = dict(options.annotations)
    if options.created is not None:
        found[media_types.CREATED] = created_text(options.created)
    return found


def plan_layers(
    tree: KitTree, entries: Sequence[Entry], options: PackOptions, warnings: list[str]
) -> list[LayerPlan]:
    """Say which layers a tree makes, in their order; no content is read.

    Raises:
        SourceError: if the tree cannot be a kit.
    """
    parts = tree.kitfile.parts()
    if not parts:
        raise SourceError(
            "the kit would have no layer; name at least one local path in the Kitfile"
        )
    paths = {part.clean_path for part in parts} | set(options.remote_paths)
    left_out: frozenset[str] = getattr(tree, "left_out", frozenset())
    partitions = Partitions(tree, entries)
    plans = []
    for part in parts:
        chosen = layer_entries(
            partitions.candidates(part),
            part.clean_path,
            paths,
            field=part.field,
            left_out=left_out,
            kit_differs=warnings,
        )
        partitions.take(part, chosen)
        plans.append(_plan_layer(part, chosen, options))
    partitions.check_whole()
    return plans


def _plan_layer(part: KitPart, entries: Sequence[Entry], options: PackOptions) -> LayerPlan:
    prefix = f"application/vnd.kitops.modelkit.{part.base}.v1"
    annotations = {media_types.FILEPATH: part.clean_path}
    if part.is_prompt:
        annotations[media_types.LAYER_SUBTYPE] = "prompt"
    if options.layer_format == "tar" and part.base != "mcpb":
        return LayerPlan(
            part=part, source=TarLayer(entries), media_type=f"{prefix}.tar", annotations=annotations
        )
    file = next((each for each in entries if each.path == part.clean_path), None)
    if file is None or file.is_folder:
        if part.base == "mcpb":
            raise SourceError(f"{part.field}: {part.path!r} is no MCP bundle: it is a folder")
        raise SourceError(
            f"{part.field}: {part.path!r} is a folder, and a raw layer is one file;"
            " name files in the Kitfile or pack with '--layer-format tar'"
        )
    if part.base == "mcpb":
        check_mcp_bundle(part, file)
    metadata = file_metadata(file, keep_mtime=options.keep_mtime)
    return LayerPlan(
        part=part,
        source=RawLayer(file),
        media_type=f"{prefix}.raw",
        annotations={**annotations, media_types.FILE_METADATA: metadata},
    )


def _push_layer(
    plan: LayerPlan,
    store: Target,
    memo: LayerMemo,
    known: Callable[[], Mapping[str, set[int]]],
    progress: Progress,
) -> PackedLayer:
    """Bring one layer into the store: remembered, hashed first, or in one pass."""
    source, name = plan.source, plan.part.clean_path
    identity = source.identity
    started = time.time()
    remembered = memo.find(identity) if identity else None
    if remembered is not None and not store.has_blob(remembered):
        remembered = None  # the memo only saves reading what the store already holds
    digest = remembered
    if digest is None and source.size >= LARGE and source.size in known().get(name, ()):
        digest = hash_layer(source, name, progress)
    if remembered is not None:
        progress.begin(name, source.size).end("exists")
        blob_digest, size, existed = remembered, source.size, True
    else:
        stored = store.push_blob(source, digest=digest, name=name, progress=progress)
        blob_digest, size, existed = stored.digest, stored.size, stored.existed
        if identity and is_settled(_fingerprints(source), started):
            memo.remember(identity, blob_digest)
    descriptor = Descriptor(
        media_type=plan.media_type, digest=blob_digest, size=size, annotations=plan.annotations
    )
    return PackedLayer(part=plan.part, descriptor=descriptor, existed=existed)


def hash_layer(source: TarLayer | RawLayer, name: str, progress: Progress) -> Digest:
    """Read a layer for its digest alone."""
    hasher = Hasher()
    task = progress.begin(f"{name} (looking)", source.size)
    with source.open() as stream:
        hash_stream(stream, hasher, task.advance)
    task.end("hashed")
    return hasher.digest()


def _fingerprints(source: TarLayer | RawLayer) -> list[tuple[int | str, ...]]:
    if isinstance(source, RawLayer):
        found = [source.entry.fingerprint()]
    else:
        found = [
            source.fingerprint_of(index)
            for index, entry in enumerate(source.entries)
            if not entry.is_folder
        ]
    return [each for each in found if each is not None]


def _workers(plans: Sequence[LayerPlan]) -> int:
    """Two at once where layers are large, else as many as allowed."""
    large = any(plan.source.size >= LARGE for plan in plans)
    return 2 if large else 64


def _sizes_by_path(previous: ImageManifest | None) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for layer in previous.layers if previous else ():
        found[layer.annotations.get(media_types.FILEPATH, "")].add(layer.size)
    return found


def _check_raw_layers(plans: Sequence[LayerPlan]) -> None:
    """Refuse two raw layers that may be equal: unpacking could not tell their paths apart."""
    sizes: dict[int, LayerPlan] = {}
    seen: dict[Digest, LayerPlan] = {}
    for plan in plans:
        if not plan.is_raw:
            continue
        twin = sizes.setdefault(plan.source.size, plan)
        if twin is plan:
            continue
        for each in (twin, plan):
            digest = hash_layer(each.source, each.part.clean_path, SILENT)
            other = seen.setdefault(digest, each)
            if other.part.field != each.part.field:
                raise SourceError(
                    f"{other.part.field} and {each.part.field} are raw layers with equal content"
                    f" ({other.part.path!r}, {each.part.path!r}); kit unpacks only one of them;"
                    " use tar layers"
                )
