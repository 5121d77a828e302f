"""Kits inside kits: what a Kitfile refers to instead of holding it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, SourceError
from kitline.kit.load import load_kit
from kitline.operations.stores import read_reference
from kitline.plugin.records import Parent, parents_text

if TYPE_CHECKING:
    from kitline.kit.kitfile import Kitfile
    from kitline.kit.load import LoadedKit
    from kitline.kit.pack import PackOptions
    from kitline.operations.stores import Found, Stores

CHAIN_LIMIT = 10
"""Most kits that may refer to each other in a row, as in kit."""


def with_base_kit(stores: Stores, kitfile: Kitfile, options: PackOptions) -> PackOptions:
    """Resolve the kit that `model.path` refers to, if it does.

    Its paths are left out of the new kit, and its digest becomes a parent with the role `base`.
    """
    from kitline.oci.media_types import PARENTS

    model = kitfile.model
    if model is None or not model.is_remote:
        return options
    chain = base_chain(stores, model.path)
    paths = tuple(part.clean_path for _, kit in chain for part, _ in kit.layers)
    annotations = dict(options.annotations)
    digest = chain[0][0].reference.digest
    if PARENTS not in annotations and digest is not None:
        annotations[PARENTS] = parents_text((Parent(digest=digest, role="base"),))
    return replace(options, annotations=annotations, remote_paths=paths)


def base_chain(stores: Stores, reference: str) -> list[tuple[Found, LoadedKit]]:
    """Follow `model.path` from kit to kit.

    Raises:
        SourceError: if a kit is missing, or the chain goes in a circle or is too long.
    """
    chain: list[tuple[Found, LoadedKit]] = []
    seen = set()
    while reference:
        try:
            found = stores.find(read_reference(reference))
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
    return chain
