"""Known kits: what a tool remembers to have been made of a source is answered, not made again.

What the tool says comes from outside, and whoever may write to the tool may change it. So a kit
counts only if it lies where the user keeps kits, says of itself what the importer says of the
source, and has the layers that packing would make: the same digests where the source's files lie on
this machine, the same sizes where they are far away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import Cancelled, InvalidManifest, KitlineError, NotFound, SourceError
from kitline.kit.load import kit_format, load_kit
from kitline.kit.memo import SqliteMemo
from kitline.kit.pack import PackOptions, created_text
from kitline.kit.preview import preview
from kitline.oci import media_types
from kitline.oci.manifest import ImageManifest
from kitline.oci.reference import Reference
from kitline.operations.landing import is_registry, land_kit
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.oci.reference import PinnedReference
    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference, Stores
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.plugin.records import Collected
    from kitline.store.copy import CopyResult
    from kitline.store.interface import Store
    from kitline.store.progress import Progress


def answer_known(
    stores: Stores,
    collected: Collected,
    reference: AnyReference,
    *,
    plugins: Plugins,
    invocation: Invocation | None = None,
    provenance: bool = True,
    move: bool = True,
    progress: Progress = SILENT,
) -> tuple[KitResult | None, list[str]]:
    """Give the first known kit the name `reference`, copying it there if it lies elsewhere.

    Returns None if no known kit is there, and a sentence for each that cannot serve.
    """
    target = stores.open_target(reference)
    said: list[str] = []
    for each in _nearest_first(collected.known, reference):
        try:
            if not _is_pointer(collected):
                _check_place(each, reference, stores.settings)
            store = stores.open(each)
            manifest = _find_same(store, each, collected, stores.settings, progress)
            copied = _bring(store, target, manifest, stores.settings.concurrency, progress)
            kit = load_kit(target, manifest, name=str(each))
        except Cancelled:
            raise
        except KitlineError as cause:
            said.append(f"the kit {each}, known as made from this source, cannot serve: {cause}")
            continue
        result = land_kit(
            target,
            manifest,
            kit.layers,
            reference,
            settings=stores.settings,
            plugins=plugins,
            origin=collected.origin,
            parents=collected.parents,
            statements=collected.statements,
            kitfile=kit.kitfile,
            invocation=invocation,
            provenance=provenance,
            warnings=(*said, *collected.warnings),
            move=move,
        )
        return _counted(result, copied, len(kit.layers)), said
    return None, said


def _nearest_first(
    known: Iterable[PinnedReference], reference: AnyReference
) -> list[PinnedReference]:
    """Prefer what lies where the kit is wanted: only its tag has to be set."""
    return sorted(known, key=lambda each: each.name != reference.name)


def _is_pointer(collected: Collected) -> bool:
    """Tell whether a source is nothing but a pointer to a kit: the importer says nothing of it."""
    return not (collected.annotations or collected.parents or collected.created)


def _check_place(known: PinnedReference, target: AnyReference, settings: Settings) -> None:
    """Refuse to ask a registry that neither the user nor the settings named."""
    own = settings.registry.partition("/")[0] if settings.registry else None
    named = target.registry if isinstance(target, Reference) else None
    if known.registry not in (None, named, own):
        raise SourceError(
            f"it lies at {known.registry!r}, which neither the target nor KITLINE_REGISTRY names"
        )


def _find_same(
    store: Store,
    known: PinnedReference,
    collected: Collected,
    settings: Settings,
    progress: Progress,
) -> ImageManifest:
    """Return a kit that is there and is what would be made of the source.

    Only the number of the recipe may differ: an older kitline may have made the kit. Of a pointer
    the digest is enough.
    """
    manifest = store.find_manifest(known.digest)
    if manifest is None:
        raise NotFound("it is not there any more")
    if not isinstance(manifest, ImageManifest) or kit_format(manifest) is None:
        raise InvalidManifest("it is no kit")
    if not is_registry(known) and not all(
        store.has_blob(each.digest) for each in manifest.references
    ):
        raise NotFound("some of its content is not there any more")
    if _is_pointer(collected):
        return manifest
    expected, found = collected.manifest_annotations(), dict(manifest.annotations)
    if collected.created is not None:
        expected[media_types.CREATED] = created_text(collected.created)
    for said in (expected, found):
        said[media_types.RECIPE] = said.get(media_types.RECIPE, "").partition("/")[0]
    if differing := sorted(
        key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
    ):
        raise InvalidManifest(f"it was made of something else: {', '.join(differing[:5])} differ")
    _check_layers(store, known, manifest, collected, settings, progress)
    return manifest


def _check_layers(
    store: Store,
    known: PinnedReference,
    manifest: ImageManifest,
    collected: Collected,
    settings: Settings,
    progress: Progress,
) -> None:
    memo = SqliteMemo(settings.memo_file)
    try:
        expected = preview(collected.tree, options=PackOptions(), memo=memo, progress=progress)
    finally:
        memo.close()
    found = load_kit(store, manifest, name=str(known)).layers
    if len(expected) != len(found) or any(
        (layer.path, layer.size) != (part.clean_path, descriptor.size)
        or layer.digest not in (None, descriptor.digest)
        for layer, (part, descriptor) in zip(expected, found, strict=True)
    ):
        raise InvalidManifest("it was made of other files")


def _bring(
    source: Store, target: Store, manifest: ImageManifest, concurrency: int, progress: Progress
) -> CopyResult | None:
    """Copy a kit and what is about it, unless it lies there."""
    from kitline.store.copy import copy_kit

    if source is target:
        return None
    return copy_kit(source, target, manifest, concurrency=concurrency, progress=progress)


def _counted(result: KitResult, copied: CopyResult | None, layers: int) -> KitResult:
    if copied is None:
        return replace(result, existed=True, existing_blobs=layers)
    return replace(
        result,
        existed=True,
        moved_blobs=copied.copied,
        moved_bytes=copied.copied_bytes,
        existing_blobs=copied.skipped + copied.mounted,
        referrers=max(copied.referrers, result.referrers),
        warnings=(*copied.warnings, *result.warnings),
    )
