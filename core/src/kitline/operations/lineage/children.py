"""Children: the kits that are known to be made from a kit, before it is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import HasChildren
from kitline.frozen import dataclass
from kitline.lineage.query import find_children
from kitline.operations.lineage.index import open_index, refresh_local
from kitline.operations.lineage.scan import LOCAL
from kitline.operations.lineage.search import KitSearch
from kitline.operations.lineage.walk import Walk

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.operations.stores import Stores

_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Child:
    """A kit that was made from another one."""

    digest: Digest
    name: str
    place: str
    """A repository where it lies; empty if nobody knows one."""

    def __str__(self) -> str:
        where = (
            f"{self.place.removeprefix(LOCAL)}@{self.digest}" if self.place else str(self.digest)
        )
        return f"{where} ({self.name})" if self.name else where


def find_known_children(
    stores: Stores, digest: Digest, *, repository: str | None = None
) -> list[Child]:
    """Return what the index, and the edges in `repository` of a registry, know to be made from it.

    Places that do not answer are left out.
    """
    with open_index(stores.settings) as index, KitSearch(stores, index) as search:
        refresh_local(index, stores)
        Walk(stores, index, search, depth=1).list_edges(digest, beside=repository)
        found = find_children(index, digest)
    return [Child(digest=child, name=name, place=place) for child, name, place in found]


def check_no_children(children: list[Child], reference: str) -> None:
    """Refuse to take away a kit that others were made from.

    Raises:
        HasChildren: naming them.
    """
    if not children:
        return
    shown = [f"\n  {each}" for each in children[:_SHOWN]]
    if len(children) > _SHOWN:
        shown.append(f"\n  … and {len(children) - _SHOWN} more")
    one = len(children) == 1
    raise HasChildren(
        f"{len(children)} {'kit was' if one else 'kits were'} made from {reference};"
        f" remove it with '--force' all the same:{''.join(shown)}",
        children=tuple(str(each.digest) for each in children),
    )
