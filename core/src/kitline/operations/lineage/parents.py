"""Parents: the kits that a kit is made from, as people name them.

A name is resolved to a digest once, when the kit is made; digest and role go into the manifest, and
where the parent was found goes into provenance, edges and receipt.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.errors import InvalidDigest, UsageError
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.media_types import PARENTS
from kitline.oci.reference import LayoutReference
from kitline.operations.stores import find_manifest, read_reference
from kitline.plugin.parent import Parent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.oci.manifest import Manifest
    from kitline.operations.stores import Stores

ROLE = "data"
"""What a parent was if nothing else is said."""
_ROLE = re.compile(r"([a-z][a-z0-9._-]{0,62})=(.+)\Z", re.DOTALL)


def resolve_parents(stores: Stores, given: Iterable[Parent | str]) -> tuple[Parent, ...]:
    """Return parents given as values or texts `[ROLE=]REFERENCE`, each once.

    A reference with a digest is taken as it is, whether it can be reached or not; a tag is looked
    up now. A digest alone will do.

    Raises:
        UsageError: if a text names neither.
        NotFound: if there is no such tag.
    """
    return unique_parents(
        each if isinstance(each, Parent) else _resolve(stores, each) for each in given
    )


def read_parents(manifest: Manifest) -> tuple[Parent, ...]:
    """Return the parents that a manifest names; what is malformed counts as absent."""
    text = manifest.annotations.get(PARENTS, "")
    try:
        listed = decode(text.encode()) if text else []
    except ValueError:
        return ()
    found = []
    for each in listed if isinstance(listed, list) else []:
        fields = each if isinstance(each, dict) else {}
        role = fields.get("role", "")
        with suppress(InvalidDigest):
            digest = Digest(fields.get("digest"))  # type: ignore[arg-type]  # it checks
            found.append(Parent(digest=digest, role=role if isinstance(role, str) else ""))
    return tuple(found)


def unique_parents(parents: Iterable[Parent]) -> tuple[Parent, ...]:
    """Return each digest and role once, with the first place that is known for it."""
    found: dict[tuple[Digest, str], Parent] = {}
    for each in parents:
        known = found.get((each.digest, each.role))
        if known is None or known.reference is None:
            found[each.digest, each.role] = each
    return tuple(found.values())


def _resolve(stores: Stores, text: str) -> Parent:
    matched = _ROLE.match(text)
    role, name = matched.groups() if matched else (ROLE, text)
    try:
        return Parent(digest=Digest(name), role=role)
    except InvalidDigest:
        pass
    asked = read_reference(name)
    digest = asked.digest
    if digest is None:
        if asked.tag is None and not isinstance(asked, LayoutReference):
            raise UsageError(
                f"parent {text!r} names no tag and no digest; write '{text}:TAG' or"
                f" '{text}@sha256:…'"
            )
        digest = find_manifest(stores.open(asked), asked).digest
    # a folder of this machine means nothing to others
    where = None if isinstance(asked, LayoutReference) else str(asked.pin(digest))
    return Parent(digest=digest, role=role, reference=where)
