"""Derived edges: tiny referrers beside a parent that name what was made from it.

A kit names its parents; nobody can add to the parent itself who its children are. So each child
leaves a referrer with a tag of its own beside the parent: append only, so that any number of
writers lose nothing. Whoever can write there can leave one: it is a claim until the child's own
manifest says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import InvalidDigest, InvalidReference
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import PinnedReference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import Manifest

ARTIFACT_TYPE = media_types.DERIVED
CHILD = "io.kitline.child"
"""The digest of the kit that was made."""
REFERENCE = "io.kitline.child.reference"
"""Where it lay then."""
ROLE = "io.kitline.role"
"""What the parent was for it."""
ROLE_LIMIT = 64


@dataclass(frozen=True, kw_only=True)
class DerivedEdge:
    """A kit was made from another one."""

    parent: Digest
    child: Digest
    role: str
    reference: str | None = None
    """Pinned reference of the child; None if none is said or it cannot be one."""


def build_edge(parent: Descriptor, child: PinnedReference, role: str) -> ImageManifest:
    """Make the referrer of `parent` that names a child; the same edge is the same bytes."""
    return ImageManifest.build(
        artifact_type=ARTIFACT_TYPE,
        config=EMPTY_CONFIG,
        layers=[EMPTY_CONFIG],
        subject=parent,
        annotations={CHILD: str(child.digest), REFERENCE: str(child), ROLE: role},
    )


def read_edge(manifest: Manifest) -> DerivedEdge | None:
    """Read what a referrer says; None if it is no edge, or names no digest."""
    if manifest.kind != ARTIFACT_TYPE or manifest.subject is None:
        return None
    return edge_of(manifest.subject.digest, manifest.annotations)


def edge_of(parent: Digest, said: Mapping[str, str]) -> DerivedEdge | None:
    """Return the edge that the annotations of a referrer of `parent` tell of."""
    try:
        child = Digest(said.get(CHILD, ""))
    except InvalidDigest:
        return None
    return DerivedEdge(
        parent=parent,
        child=child,
        role=said.get(ROLE, "")[:ROLE_LIMIT],
        reference=_reference(said.get(REFERENCE, ""), child),
    )


def _reference(text: str, child: Digest) -> str | None:
    try:
        found = PinnedReference.parse(text)
    except (InvalidReference, InvalidDigest):
        return None
    return str(found) if found.digest == child and not found.is_bare else None
