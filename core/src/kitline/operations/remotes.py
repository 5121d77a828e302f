"""Kits inside kits: what a Kitfile refers to instead of holding it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, SourceError
from kitline.oci.reference import LayoutReference
from kitline.operations.lineage.parents import unique_parents
from kitline.operations.stores import read_reference
from kitline.plugin.parent import Parent, parents_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.kitfile import Kitfile
    from kitline.kit.load import LoadedKit
    from kitline.kit.pack import PackOptions
    from kitline.oci.digest import Digest
    from kitline.operations.stores import Found, Stores

CHAIN_LIMIT = 10
"""Most kits that may refer to each other in a row, as in kit."""


def with_parents(
    stores: Stores, kitfile: Kitfile, options: PackOptions, given: Sequence[Parent]
) -> tuple[PackOptions, tuple[Parent, ...]]:
    """Name the kits that a kit is made from in its manifest; return them all.

    The kit that `model.path` refers to becomes a parent with the role `base`, and its paths are
    left out of the new kit.
    """
    from kitline.oci.media_types import PARENTS

    parents = tuple(given)
    is_told = PARENTS in options.annotations and not parents  # by '--annotation', as kit would
    model = kitfile.model
    if model is not None and model.is_remote:
        chain = base_chain(stores, model.path)
        paths = tuple(part.clean_path for _, kit in chain for part, _ in kit.layers)
        options = replace(options, remote_paths=paths)
        base = chain[0][0].reference
        if base.digest is not None:
            where = None if isinstance(base, LayoutReference) else str(base)
            parents = (*parents, Parent(digest=base.digest, role="base", reference=where))
    if parents and not is_told:
        annotations = {**options.annotations, PARENTS: parents_text(parents)}
        options = replace(options, annotations=annotations)
    return options, unique_parents(parents)


def base_chain(
    stores: Stores, reference: str, pinned: Digest | None = None
) -> list[tuple[Found, LoadedKit]]:
    """Follow `model.path` from kit to kit.

    A kit that names the digest of its base, as those packed by kitline do, gets that one, wherever
    the tag in `model.path` points by now; `pinned` says so for the first.

    Raises:
        SourceError: if a kit is missing, or the chain goes in a circle or is too long.
    """
    from kitline.kit.load import load_kit

    chain: list[tuple[Found, LoadedKit]] = []
    seen = set()
    while reference:
        try:
            asked = read_reference(reference)
            found = stores.find(asked if pinned is None else asked.pin(pinned))
            kit = load_kit(found.store, found.manifest, name=reference)
        except KitlineError as cause:
            raise SourceError(f"cannot read kit {reference!r} of model.path: {cause}") from cause
        if kit.manifest.digest in seen or len(chain) == CHAIN_LIMIT:
            reason = "goes in a circle" if kit.manifest.digest in seen else "is too long"
            raise SourceError(f"the chain of model.path {reason} at {reference!r}")
        seen.add(kit.manifest.digest)
        chain.append((found, kit))
        model = kit.kitfile.model
        reference = model.path if model and model.is_remote else ""
        pinned = base_digest(kit)
    return chain


def base_digest(kit: LoadedKit) -> Digest | None:
    """Return the digest of the base that was found when a kit was packed, if it names one."""
    from kitline.oci.digest import Digest
    from kitline.oci.media_types import PARENTS
    from kitline.operations.inspect import read_parents

    parents = read_parents(kit.manifest.annotations.get(PARENTS, ""))
    bases = [each["digest"] for each in parents if each["role"] == "base"]
    return Digest(bases[0]) if len(bases) == 1 else None
