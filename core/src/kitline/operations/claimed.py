"""Claimed places: repositories that only a statement or an edge names, opened with care.

Such an address is a claim by whoever could write it. It may be asked for a manifest by its digest
and for nothing else, and what lies in a public registry leads to no private address that the
settings do not name.
"""

from __future__ import annotations

import ipaddress
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.oci.reference import LayoutReference, Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference, Stores
    from kitline.store.interface import Store


class ClaimedPlaces:
    """Opens claimed repositories, and closes those that it opened itself; a context manager."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._own = _named_registries(stores.settings)
        self._opened: dict[str, Store] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    def open(self, reference: Reference, claimed_by: Iterable[str]) -> Store:
        """Open a repository of a registry; `claimed_by` are the places of what names it.

        Another repository of a registry that was asked already tells nobody anything new.

        Raises:
            UsageError: if policy does not allow that registry.
        """
        from kitline.store.registry import open_registry

        registry = reference.registry or ""
        beside = [parse_reference(each) for each in claimed_by]
        if registry in self._own or any(_leads_to(each, registry) for each in beside):
            return self._stores.open(reference)
        name = reference.name
        if name not in self._opened:
            options = self._stores.registry_options(registry)
            trusted = tuple(self._own | set(options.trusted or ()))
            # connections of their own: those of other stores may lead anywhere
            store = open_registry(reference, replace(options, trusted=trusted, sessions=None))
            self._opened[name] = self._closing.enter_context(store)
        return self._opened[name]


def _named_registries(settings: Settings) -> frozenset[str]:
    """Return the registries that the user named."""
    from kitline.operations.lineage.edges import edge_repository

    edges = edge_repository(settings)
    named = [*settings.mirrors, *settings.lineage, *([edges.name] if edges else [])]
    found = {Reference.parse(each).registry or "" for each in named}
    if settings.registry:
        found.add(settings.registry.partition("/")[0])
    return frozenset(found)


def _leads_to(place: AnyReference, registry: str) -> bool:
    """Tell whether what lies in a place may lead to a registry, whatever address that has.

    So may what lies in the same one, on this machine, or at an address that only we can see. What
    was pulled lies in a local repository with the registry in its name: its statements came from
    there, too.
    """
    if isinstance(place, LayoutReference) or place.registry in (None, registry):
        return True
    host = place.registry or ""
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
