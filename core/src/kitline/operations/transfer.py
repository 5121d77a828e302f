"""Push, pull and copy: the same copy with other ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError, NotFound, UsageError
from kitline.frozen import dataclass
from kitline.oci.manifest import ImageManifest
from kitline.oci.reference import Reference
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.landing import is_registry, land, note_lineage, tell_tools
from kitline.operations.lineage.parents import read_parents
from kitline.operations.notebook import shown
from kitline.operations.policy.gate import check_found, check_use
from kitline.operations.results import KitResult
from kitline.operations.stores import Stores, find_manifest, read_reference
from kitline.plugin.invocation import Invocation
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from kitline.oci.manifest import Manifest
    from kitline.operations.attached import Attached
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.manager import Plugins
    from kitline.plugin.records import WriteBack
    from kitline.store.interface import Store
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class _Choices:
    """What push, pull and copy hand on: the keywords of the same names."""

    settings: Settings
    move: bool
    referrers: bool
    with_history: bool
    progress: Progress
    plugins: Plugins | None = None
    invocation: Invocation | None = None
    provenance: bool = False
    with_parents: bool = False


def push(
    source: str | AnyReference,
    to: str | AnyReference | None = None,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    move: bool = True,
    referrers: bool = True,
    with_history: bool = False,
    invocation: Invocation | None = None,
    provenance: bool = True,
    progress: Progress = SILENT,
) -> KitResult:
    """Push a kit of the local store to a registry.

    Without `to`, the name of the source is taken. A bare name goes below the setting `registry`.
    `invocation` and `provenance` are those of `pack`.
    """
    settings, progress = settings_or_default(settings), shown(progress)
    asked = read_reference(source)
    target = _remote_of(read_reference(to) if to else asked, settings)
    choices = _Choices(
        settings=settings,
        move=move,
        referrers=referrers,
        with_history=with_history,
        progress=progress,
        plugins=plugins,
        invocation=invocation or Invocation.from_environment(),
        provenance=provenance,
    )
    with Stores(settings) as stores:
        local = (
            stores.open_local(asked.name) if isinstance(asked, Reference) else stores.open(asked)
        )
        try:
            manifest = find_manifest(local, asked)
        except NotFound as cause:
            raise type(cause)(f"nothing to push: {cause}") from cause
        return _transfer(
            local,
            manifest,
            stores.open(target),
            _with_tag(target, asked),
            choices,
            in_registry=is_registry(target),
        )


def pull(
    source: str | AnyReference,
    name: str | None = None,
    *,
    settings: Settings | None = None,
    move: bool = True,
    referrers: bool = True,
    with_history: bool = False,
    progress: Progress = SILENT,
) -> KitResult:
    """Pull a kit from a registry into the local store, under `name` or the name that was asked.

    Raises:
        PolicyError: if a policy does not allow it to be used; nothing was written.
    """
    settings, progress = settings_or_default(settings), shown(progress)
    asked = read_reference(source)
    remote = _remote_of(asked, settings)
    local_name = read_reference(name) if name else asked
    if not isinstance(local_name, Reference) or (local_name.digest and name):
        raise UsageError(
            f"{name or str(asked)!r} is not a name of the local store; write 'name[:tag]'"
        )
    choices = _Choices(
        settings=settings,
        move=move,
        referrers=referrers,
        with_history=with_history,
        progress=progress,
    )
    with Stores(settings) as stores:
        origin = stores.open(remote)
        manifest = find_manifest(origin, remote)
        check_use(origin, manifest, remote, use="pull", settings=settings, stores=stores)
        return _transfer(
            origin,
            manifest,
            stores.open_local(local_name.name),
            _with_tag(local_name, asked),
            choices,
            in_registry=False,
        )


def copy(
    source: str | AnyReference,
    to: str | AnyReference,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    move: bool = True,
    referrers: bool = True,
    with_history: bool = False,
    with_parents: bool = False,
    progress: Progress = SILENT,
) -> KitResult:
    """Copy a kit between any two of: registry, local store, `oci:` folder, `oci-archive:` file.

    With `with_parents`, the kits that it was made from come along into the same repository, and
    those that they were made from, each by its digest.

    Raises:
        PolicyError: if a policy does not allow it to be used. Pushing is no use: what was made here
            has to get where others judge it.
    """
    settings, progress = settings_or_default(settings), shown(progress)
    asked, target = read_reference(source), read_reference(to)
    is_push = isinstance(asked, Reference) and asked.is_bare and is_registry(target)
    choices = _Choices(
        settings=settings,
        move=move,
        referrers=referrers,
        with_history=with_history,
        progress=progress,
        plugins=plugins,
        with_parents=with_parents,
    )
    with Stores(settings) as stores:
        found = stores.find(asked)
        if not is_push:
            check_found(found, stores, use="copy")
        return _transfer(
            found.store,
            found.manifest,
            stores.open_target(target),
            _with_tag(target, asked),
            choices,
            in_registry=is_registry(target),
        )


def _transfer(
    source: Store,
    manifest: Manifest,
    target: Store,
    reference: AnyReference,
    choices: _Choices,
    *,
    in_registry: bool,
) -> KitResult:
    from kitline.operations.attached import NOTHING_ATTACHED
    from kitline.operations.origins import find_origin
    from kitline.operations.provenance import attach_provenance
    from kitline.store.copy import copy_kit

    settings = choices.settings
    if reference.digest is not None and reference.digest != manifest.digest:
        raise UsageError(
            f"{str(reference)!r} names another digest than the source, {manifest.digest}"
        )
    brought = _bring_parents(source, manifest, target, choices, in_registry=in_registry)
    copied = copy_kit(
        source,
        target,
        manifest,
        referrers=choices.referrers,
        with_history=choices.with_history,
        concurrency=settings.concurrency,
        progress=choices.progress,
    )
    landed = land(
        target,
        manifest,
        settings,
        tag=reference.tag,
        in_registry=in_registry,
        may_move=choices.move,
    )
    origin = find_origin(settings, manifest.digest)
    attached = NOTHING_ATTACHED
    if choices.provenance and choices.invocation is not None:
        parents = read_parents(manifest)
        attached = attach_provenance(
            target,
            manifest,
            settings,
            invocation=choices.invocation,
            parents=parents,
            origin=origin,
        )
    write_backs: tuple[WriteBack, ...] = ()
    unnoted: tuple[str, ...] = ()
    if in_registry and isinstance(manifest, ImageManifest):
        unnoted = _note(source, target, manifest, choices, tag=reference.tag, attached=attached)
        write_backs = tell_tools(
            plugins_or_default(choices.plugins, settings),
            target,
            manifest,
            settings,
            tag=reference.tag,
            origin=origin,
            receipt=None,
        )
    return KitResult(
        reference=target.pin(manifest.digest),
        digest=manifest.digest,
        tag=reference.tag,
        previous=landed.previous,
        moved_bytes=copied.copied_bytes,
        moved_blobs=copied.copied,
        existing_blobs=copied.skipped + copied.mounted,
        referrers=copied.referrers + len(attached.digests),
        write_backs=write_backs,
        warnings=(*brought, *copied.warnings, *landed.warnings, *attached.warnings, *unnoted),
    )


def _bring_parents(
    source: Store, manifest: Manifest, target: Store, choices: _Choices, *, in_registry: bool
) -> tuple[str, ...]:
    """Copy the kits that a kit was made from; return a sentence for each that is nowhere."""
    if not choices.with_parents:
        return ()
    from kitline.operations.lineage.ancestors import ancestors
    from kitline.store.copy import copy_kit

    warnings: list[str] = []
    with Stores(choices.settings) as stores:
        for each in ancestors(stores, source, manifest):
            if each.store is None or each.manifest is None:
                warnings.append(f"the parent {each.digest} stayed behind: it was found nowhere")
                continue
            copied = copy_kit(
                each.store,
                target,
                each.manifest,
                referrers=choices.referrers,
                with_history=choices.with_history,
                concurrency=choices.settings.concurrency,
                progress=choices.progress,
            )
            landed = land(
                target, each.manifest, choices.settings, tag=None, in_registry=in_registry
            )
            warnings += [*copied.warnings, *landed.warnings]
    return tuple(warnings)


def _note(
    source: Store,
    target: Store,
    manifest: ImageManifest,
    choices: _Choices,
    *,
    tag: str | None,
    attached: Attached,
) -> tuple[str, ...]:
    """Note in the index, and beside its parents, a kit that landed in a registry."""
    from kitline.kit.load import load_kit
    from kitline.operations.lineage.ancestors import located_parents

    try:
        kitfile = load_kit(source, manifest).kitfile
        parents = located_parents(target, manifest)
    except KitlineError:  # no kit, or a damaged one: it is copied all the same
        return ()
    return note_lineage(
        target,
        manifest,
        choices.settings,
        parents=parents,
        kitfile=kitfile,
        tag=tag,
        attached=attached,
    )


def _remote_of(reference: AnyReference, settings: Settings) -> AnyReference:
    """Return where a name lies remotely."""
    if not isinstance(reference, Reference) or not reference.is_bare:
        return reference
    if settings.registry is None:
        raise UsageError(
            f"{str(reference)!r} names no registry; write 'registry/{reference}'"
            " or set KITLINE_REGISTRY"
        )
    return Reference.parse(f"{settings.registry}/{reference}")


def _with_tag(target: AnyReference, source: AnyReference) -> AnyReference:
    """Give the target the source's tag where neither a tag nor a digest was named."""
    if target.tag is None and target.digest is None:
        return target.with_tag(source.tag)
    return target
