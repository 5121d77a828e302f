"""Landing: a manifest that is in a store gets its names, and its tool is told.

Steps: keep tag (so that clean-up cannot take it), the tag that was asked for, statements and
provenance, derived edges beside its parents, hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import RegistryError, TagConflict, WriteBackFailed
from kitline.frozen import dataclass
from kitline.oci.reference import PinnedReference, Reference, keep_tag
from kitline.plugin.invocation import Invocation
from kitline.trust.predicate_types import PROVENANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.kitfile import Kitfile, KitPart
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import ImageManifest, Manifest
    from kitline.operations.attached import Attached
    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.manager import Plugins
    from kitline.plugin.parent import Parent
    from kitline.plugin.receipt import Receipt
    from kitline.plugin.records import Origin, Statement, WriteBack
    from kitline.store.interface import Store


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What naming a kit did."""

    previous: Digest | None
    warnings: tuple[str, ...]


def is_registry(reference: AnyReference) -> bool:
    """Tell whether a reference names a registry."""
    return isinstance(reference, Reference) and not reference.is_bare


def land(
    store: Store,
    manifest: Manifest,
    settings: Settings,
    *,
    tag: str | None,
    in_registry: bool,
    may_move: bool = True,
) -> Landed:
    """Give a manifest its keep tag, if it lies in a registry, and the tag that was asked for.

    Raises:
        TagConflict: if the tag may not move; the kit itself is there and can be pinned.
    """
    warnings = []
    if settings.keep_tag and in_registry:
        try:
            store.set_tag(keep_tag(manifest.digest), manifest, may_move=False)
        except (TagConflict, RegistryError) as cause:
            warnings.append(f"the kit has no keep tag, clean-up may remove it: {cause}")
    previous = None
    if tag is not None:
        previous = store.set_tag(tag, manifest, may_move=may_move)
    if previous == manifest.digest:
        previous = None
    return Landed(previous=previous, warnings=tuple(warnings))


def prepare_landing(plugins: Plugins | None, settings: Settings, *, has_parents: bool) -> Plugins:
    """Load what landing in a registry takes, best while blobs are on their way."""
    if has_parents:
        import kitline.operations.lineage.edges
        import kitline.operations.provenance
    import kitline.operations.receipts
    import kitline.operations.results
    import kitline.plugin.ci  # noqa: F401
    from kitline.operations.defaults import plugins_or_default
    from kitline.operations.lineage.note import make_index

    make_index(settings)
    return plugins_or_default(plugins, settings)


def land_kit(
    store: Store,
    manifest: ImageManifest,
    layers: Sequence[tuple[KitPart, Descriptor]],
    reference: AnyReference,
    *,
    settings: Settings,
    plugins: Plugins | None = None,
    origin: Origin | None = None,
    parents: Sequence[Parent] = (),
    statements: Sequence[Statement] = (),
    kitfile: Kitfile | None = None,
    invocation: Invocation | None = None,
    provenance: bool = True,
    warnings: Sequence[str] = (),
    move: bool = True,
) -> KitResult:
    """Name a kit that was made from something, attach statements, and tell its tool.

    In the local store its origin is kept instead, until it is pushed.
    """
    from kitline.operations.attached import NOTHING_ATTACHED
    from kitline.operations.defaults import plugins_or_default
    from kitline.operations.receipts import make_receipt
    from kitline.operations.results import KitResult

    in_registry, tag = is_registry(reference), reference.tag
    landed = land(store, manifest, settings, tag=tag, in_registry=in_registry, may_move=move)
    said = [each for each in statements if provenance or each.predicate_type != PROVENANCE]
    attached = _attach_statements(store, manifest, settings, said) if said else NOTHING_ATTACHED
    run = invocation or Invocation.from_environment()
    is_said = any(each.predicate_type == PROVENANCE for each in said)
    if provenance and (run or (parents and not is_said)):
        from kitline.operations.provenance import attach_provenance

        attached += attach_provenance(
            store, manifest, settings, invocation=run, parents=parents, origin=origin
        )
    receipt = make_receipt(store, manifest, layers, tag=tag, origin=origin, parents=parents)
    write_backs: tuple[WriteBack, ...] = ()
    unnoted: tuple[str, ...] = ()
    if in_registry:
        unnoted = note_lineage(
            store, manifest, settings, parents=parents, kitfile=kitfile, tag=tag, attached=attached
        )
        write_backs = tell_tools(
            plugins_or_default(plugins, settings),
            store,
            manifest,
            settings,
            tag=tag,
            origin=origin,
            receipt=receipt,
        )
    elif origin is not None:
        from kitline.operations.origins import remember_origin

        remember_origin(settings, manifest.digest, origin)
    return KitResult(
        reference=store.pin(manifest.digest),
        digest=manifest.digest,
        tag=tag,
        previous=landed.previous,
        referrers=len(attached.digests),
        receipt=receipt,
        write_backs=write_backs,
        warnings=(*warnings, *landed.warnings, *attached.warnings, *unnoted),
    )


def _attach_statements(
    store: Store, manifest: Manifest, settings: Settings, statements: Sequence[Statement]
) -> Attached:
    """Attach what an importer says; its provenance is signed if the settings name a key."""
    from kitline.operations.provenance import attach_signed
    from kitline.operations.statements import attach, attach_all

    key = settings.sign_key

    def attach_one(store: Store, manifest: Manifest, statement: Statement) -> Digest:
        if key is None or statement.predicate_type != PROVENANCE:
            return attach(store, manifest, statement)
        return attach_signed(store, manifest, statement, key=key)

    return attach_all(store, manifest, statements, attach_one=attach_one)


def note_lineage(
    store: Store,
    manifest: Manifest,
    settings: Settings,
    *,
    parents: Sequence[Parent],
    kitfile: Kitfile | None,
    tag: str | None,
    attached: Attached,
) -> tuple[str, ...]:
    """Note in the index, and beside its parents, a kit that landed in a registry."""
    from kitline.operations.lineage.note import note_landed

    note_landed(settings, store.name, manifest, kitfile=kitfile, tag=tag, attached=attached)
    pinned = store.pin(manifest.digest)
    if not parents or not isinstance(pinned, PinnedReference):
        return ()
    from kitline.operations.lineage.edges import write_edges

    return write_edges(settings, pinned, parents)


def tell_tools(
    plugins: Plugins,
    store: Store,
    manifest: ImageManifest,
    settings: Settings,
    *,
    tag: str | None,
    origin: Origin | None,
    receipt: Receipt | None,
) -> tuple[WriteBack, ...]:
    """Call the `kitline_pushed` hooks.

    Raises:
        WriteBackFailed: if one failed and the setting `write_back` is `require`; the push stands.
    """
    from kitline.plugin.records import PushedEvent

    if settings.write_back == "off":
        return ()
    pinned = store.pin(manifest.digest)
    event = PushedEvent(
        reference=pinned, manifest=manifest, tag=tag, origin=origin, receipt=receipt
    )
    results = tuple(plugins.pushed(event))
    failed = [each for each in results if not each.ok]
    if failed and settings.write_back == "require":
        reasons = "; ".join(f"{each.plugin}: {each.warning}" for each in failed)
        raise WriteBackFailed(
            f"pushed {pinned}, but not written back: {reasons}", reference=str(pinned)
        )
    return results
