"""Pack: a folder becomes a ModelKit in the local store, a layout or straight in a registry."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import SourceError, UsageError
from kitline.kit.pack import PackOptions
from kitline.operations.alongside import Alongside
from kitline.operations.defaults import settings_or_default
from kitline.operations.landing import is_registry, land_kit, prepare_landing
from kitline.operations.notebook import shown
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kitline.kit.kitfile import Kitfile
    from kitline.kit.tree import KitTree
    from kitline.oci.manifest import ImageManifest
    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.plugin.parent import Parent
    from kitline.plugin.records import Origin, Statement
    from kitline.store.interface import Store
    from kitline.store.progress import Progress

RECIPE = "folder/1"
"""Rises when kitline makes other bytes of an unchanged folder."""


def pack(
    folder: str | Path,
    to: str | AnyReference,
    *,
    settings: Settings | None = None,
    kitfile: str | Path | bytes | None = None,
    symlinks: str = "follow",
    keep_modes: bool = False,
    layer_format: str = "tar",
    keep_mtime: bool = False,
    annotations: Mapping[str, str] | None = None,
    recipe: bool = True,
    move: bool = True,
    rehash: bool = False,
    plugins: Plugins | None = None,
    parents: Iterable[Parent | str] = (),
    statements: Iterable[Statement] = (),
    invocation: Invocation | None = None,
    provenance: bool = True,
    progress: Progress = SILENT,
) -> KitResult:
    """Pack a folder into a ModelKit and name it `to`.

    Without a Kitfile one is derived from the files alone. The digest is the same for the same
    files and parents, whoever packs them, where and when.

    `parents` are kits that this one is made from, as values or texts `[ROLE=]REFERENCE`: a tag is
    resolved now, and the digests go into the manifest. `statements` are attached to the kit once it
    has landed, and unless `provenance` is false, so is what run this is part of and where the
    parents were found. The run is `invocation`, or the one that the environment names.

    Raises:
        SourceError: if the folder cannot be a kit.
        KitfileError: if the Kitfile has problems; all of them are listed.
    """
    from kitline.kit.folder import FolderTree

    settings, progress = settings_or_default(settings), shown(progress)
    reference = need_target(read_reference(to))
    root = Path(folder)
    if not root.is_dir():
        kind = "is not a folder" if root.exists() else "is not there"
        raise SourceError(
            f"cannot pack {str(folder)!r}: it {kind}; name the folder that holds the kit's files"
        )
    found, warnings = _read_kitfile(root, kitfile)
    tree = FolderTree(
        root,
        found,
        symlinks="skip" if symlinks == "skip" else "follow",
        modes="keep" if keep_modes else "normalise",
    )
    labels = dict(annotations or {})
    if recipe:
        from kitline.oci.media_types import RECIPE as KEY

        labels.setdefault(KEY, RECIPE)
    options = PackOptions(
        annotations=labels,
        created=_created(settings),
        layer_format=layer_format,
        keep_mtime=keep_mtime,
    )
    return pack_tree(
        tree,
        reference,
        settings=settings,
        options=options,
        parents=parents,
        statements=statements,
        invocation=invocation,
        provenance=provenance,
        warnings=warnings,
        move=move,
        rehash=rehash,
        plugins=plugins,
        progress=progress,
    )


def pack_tree(
    tree: KitTree,
    reference: AnyReference,
    *,
    settings: Settings,
    options: PackOptions,
    origin: Origin | None = None,
    parents: Iterable[Parent | str] = (),
    statements: Iterable[Statement] = (),
    invocation: Invocation | None = None,
    provenance: bool = True,
    warnings: Sequence[str] = (),
    move: bool = True,
    rehash: bool = False,
    plugins: Plugins | None = None,
    progress: Progress = SILENT,
) -> KitResult:
    """Pack any tree, name the kit, attach statements, and tell the tool that it came from."""
    from kitline.kit.memo import SqliteMemo
    from kitline.kit.pack import pack as pack_into
    from kitline.operations.lineage.parents import resolve_parents
    from kitline.operations.remotes import with_parents

    parents = tuple(parents)
    in_registry = is_registry(reference)
    memo = SqliteMemo(settings.memo_file, read=not rehash)

    def prepare() -> Plugins:
        memo.make()
        return prepare_landing(plugins, settings, has_parents=bool(parents))

    with closing(memo), Stores(settings) as stores, Alongside(prepare, progress) as landing:
        given = resolve_parents(stores, parents)
        options, made_from = with_parents(stores, tree.kitfile, options, given)
        store = stores.open_target(reference)
        packed = pack_into(
            tree,
            store,
            options=options,
            memo=memo,
            previous=lambda: _previous(store, reference),
            concurrency=settings.concurrency,
            progress=landing if in_registry else progress,
        )
        moved = [layer for layer in packed.layers if not layer.existed]
        result = land_kit(
            store,
            packed.manifest,
            [(layer.part, layer.descriptor) for layer in packed.layers],
            reference,
            settings=settings,
            plugins=landing.result() if in_registry else plugins,
            origin=origin,
            parents=made_from,
            statements=tuple(statements),
            kitfile=packed.kitfile,
            invocation=invocation,
            provenance=provenance,
            warnings=(*packed.warnings, *warnings),
            move=move,
        )
        return replace(
            result,
            moved_blobs=len(moved),
            existing_blobs=len(packed.layers) - len(moved),
            moved_bytes=sum(layer.descriptor.size for layer in moved),
        )


def need_target(reference: AnyReference) -> AnyReference:
    """Refuse a digest as the name of something that is still to be made."""
    if reference.digest is not None:
        raise UsageError(
            f"{str(reference)!r} names a digest, which is known only afterwards; give a tag"
        )
    return reference


def _previous(store: Store, reference: AnyReference) -> ImageManifest | None:
    """Return the kit that the tag points at now: the new one probably shares layers with it."""
    from kitline.oci.manifest import ImageManifest

    descriptor = store.find_tag(reference.tag) if reference.tag else None
    found = store.find_manifest(descriptor.digest) if descriptor else None
    return found if isinstance(found, ImageManifest) else None


def _read_kitfile(
    root: Path, given: str | Path | bytes | None
) -> tuple[Kitfile | None, tuple[str, ...]]:
    from kitline.kit.kitfile_yaml import read_kitfile

    if isinstance(given, bytes):
        found = read_kitfile(given, "standard input")
        return found.kitfile, found.warnings
    path = Path(given) if given else _find_kitfile(root)
    if path is None:
        return None, ()
    try:
        text = path.read_bytes()
    except OSError as cause:
        raise SourceError(f"cannot read the Kitfile {str(path)!r}: {cause.strerror}") from cause
    found = read_kitfile(text, str(path))
    return found.kitfile, found.warnings


def _find_kitfile(root: Path) -> Path | None:
    from kitline.kit.ignore import KITFILE_NAMES

    return next((root / name for name in KITFILE_NAMES if (root / name).is_file()), None)


def _created(settings: Settings) -> datetime | None:
    epoch = settings.source_date_epoch
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
