"""Known kits: what a tool remembers to have been made of a source is answered, not made again.

What the tool says comes from outside: a kit counts only if it is there, and says of itself what the
importer says of the source.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import Cancelled, InvalidManifest, KitlineError, NotFound
from kitline.kit.load import kit_format, load_kit
from kitline.kit.pack import created_text
from kitline.oci import media_types
from kitline.oci.manifest import ImageManifest
from kitline.operations.landing import is_registry, land_kit
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.oci.reference import PinnedReference
    from kitline.operations.results import KitResult
    from kitline.operations.stores import AnyReference, Stores
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
    move: bool = True,
    progress: Progress = SILENT,
) -> tuple[KitResult | None, list[str]]:
    """Give the first known kit the name `reference`, copying it there if it lies elsewhere.

    Returns None if no known kit is there, and a sentence for each that cannot serve.
    """
    target = stores.open(reference)
    said: list[str] = []
    for each in _nearest_first(collected.known, reference):
        try:
            store = stores.open(each)
            manifest = _find_same(store, each, collected)
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


def _find_same(store: Store, known: PinnedReference, collected: Collected) -> ImageManifest:
    """Return a kit that is there and says of itself what is said of the source.

    Only the number of the recipe may differ: an older kitline may have made the kit. Of a source
    that is nothing but a pointer to a kit the importer says nothing, and the digest is enough.
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
    if not (collected.annotations or collected.parents or collected.created):
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
    return manifest


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
