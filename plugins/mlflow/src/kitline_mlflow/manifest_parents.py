"""The parents that a kit's manifest names; anybody may have written it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARENTS = "io.kitline.parents"


def manifest_parents(annotations: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return digest and role of each parent, sorted; none if they cannot be read."""
    try:
        listed = json.loads(annotations.get(_PARENTS, "[]"))
        return tuple(sorted({(str(each["digest"]), str(each.get("role"))) for each in listed}))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def parent_digests(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return the digest of each parent, sorted."""
    return tuple(sorted({digest for digest, _ in manifest_parents(annotations)}))
