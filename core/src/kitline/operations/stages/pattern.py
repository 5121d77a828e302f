"""Patterns of repositories: `registry.example/team/*`, or `team/*` in the local store."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.oci.reference import Reference
from kitline.operations.stores import read_repository

if TYPE_CHECKING:
    from kitline.operations.stores import AnyReference, Stores

_WILD = ("*", "?", "[")


def find_repositories(stores: Stores, pattern: str | AnyReference) -> list[AnyReference]:
    """Return the repositories that a pattern means, sorted; one that is no pattern means itself.

    Raises:
        RegistryError: if a registry does not tell which repositories it holds.
        UsageError: if the pattern is none.
    """
    if not isinstance(pattern, str) or not is_pattern(pattern):
        return [read_repository(pattern)]
    registry = registry_of(pattern)
    if registry is None:
        names = [Reference.parse(each) for each in stores.local.list()]
        return [each for each in names if fnmatchcase(each.name, pattern)]
    from kitline.store.registry import RegistryStore
    from kitline.store.registry.catalog import list_repositories

    wanted = pattern.removeprefix(f"{registry}/")
    store = stores.open(Reference(registry=registry, repository="x"))
    assert isinstance(store, RegistryStore)  # the name has a registry
    return [
        Reference(registry=registry, repository=each)
        for each in list_repositories(store.client)
        if fnmatchcase(each, wanted)
    ]


def is_pattern(text: str) -> bool:
    """Tell whether a text may mean several repositories."""
    return any(each in text for each in _WILD) and not text.startswith(("oci:", "oci-archive:"))


def registry_of(pattern: str) -> str | None:
    """Return the registry that a pattern names; None for the local store.

    Raises:
        UsageError: if the registry itself is a pattern.
    """
    first, slash, _ = pattern.partition("/")
    if is_pattern(first):
        if slash and ("." in first or ":" in first):
            raise UsageError(f"{pattern!r}: name one registry; only repositories may be a pattern")
        return None
    return Reference.parse(f"{first}/x").registry if slash else None
