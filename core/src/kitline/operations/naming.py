"""Tag and remove: names given and taken away; content stays until nothing names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidReference, UsageError
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.oci.reference import check_tag
from kitline.operations.defaults import settings_or_default
from kitline.operations.landing import is_registry, land
from kitline.operations.results import KitResult
from kitline.operations.stores import Stores, read_reference

if TYPE_CHECKING:
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference


def tag(
    source: str | AnyReference,
    name: str,
    *,
    settings: Settings | None = None,
    move: bool = True,
) -> KitResult:
    """Point the tag `name` at a kit of the same repository; a moved tag says where it was."""
    settings = settings_or_default(settings)
    asked = read_reference(source)
    target = _target(asked, name)
    with Stores(settings) as stores:
        store = stores.open(asked)
        manifest = find_manifest_in(stores, asked)
        landed = land(
            store,
            manifest,
            settings,
            tag=target.tag,
            in_registry=is_registry(asked),
            may_move=move,
        )
        return KitResult(
            reference=store.pin(manifest.digest),
            digest=manifest.digest,
            tag=target.tag,
            previous=landed.previous,
            warnings=landed.warnings,
        )


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What `remove` took away."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    tags: tuple[str, ...]
    has_content: bool
    """Whether the kit itself is still there."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "removedTags": list(self.tags),
            "contentRemoved": not self.has_content,
        }


def remove(
    source: str | AnyReference, *, force: bool = False, settings: Settings | None = None
) -> Removed:
    """Remove a tag (`name:tag`), or a kit with all its tags (`name@sha256:…`).

    Raises:
        HasChildren: if other kits are known to be made from the kit; with `force` it is removed.
    """
    asked = read_reference(source)
    target = asked.require_target()
    if target is None:
        raise UsageError(f"{str(asked)!r} names neither a tag nor a digest; say which to remove")
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        manifest = find_manifest_in(stores, asked)
        if isinstance(target, Digest):
            if not force:
                from kitline.operations.lineage.children import (
                    check_no_children,
                    find_known_children,
                )

                beside = asked.name if is_registry(asked) else None
                children = find_known_children(stores, target, repository=beside)
                check_no_children(children, str(asked))
            tags = tuple(each for each in store.list_tags() if _points_at(store, each, target))
            store.remove_manifest(target)
        else:
            tags = (target,)
            store.remove_tag(target)
        return Removed(
            reference=store.pin(manifest.digest),
            digest=manifest.digest,
            tags=tags,
            has_content=not isinstance(target, Digest),
        )


def find_manifest_in(stores: Stores, asked: AnyReference) -> Any:
    """Return the manifest that a reference names in its own store, not in a copy elsewhere."""
    from kitline.operations.stores import find_manifest

    return find_manifest(stores.open(asked), asked)


def _points_at(store: Any, name: str, digest: Digest) -> bool:
    found = store.find_tag(name)
    return found is not None and found.digest == digest


def _target(asked: AnyReference, name: str) -> AnyReference:
    """Read the new name: a bare tag, or a reference to the same repository."""
    try:
        check_tag(name)
    except InvalidReference:
        target = read_reference(name)
        if target.name != asked.name:
            raise UsageError(
                f"{name!r} is in another repository than {str(asked)!r}; use 'kitline copy'"
            ) from None
        if target.tag is None:
            raise UsageError(f"{name!r} names no tag") from None
        return target
    return asked.with_tag(name)
