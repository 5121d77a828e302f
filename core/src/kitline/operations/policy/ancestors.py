"""Ancestors: what a kit was made from, and what that was made from, for a policy to look at.

The parents are those of the manifest, which cannot change, and those that provenance states, signed
or not: a claim too many makes a policy only stricter. A parent is looked for beside the kit, where
provenance says, in the local store and in the mirrors of the settings; its digest tells whether
it is the one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kitline.errors import InvalidReference, KitlineError, RegistryUnreachable
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.manifest import ImageIndex
from kitline.oci.media_types import PARENTS
from kitline.oci.reference import Reference
from kitline.operations.statements import find_statements
from kitline.trust.predicate_types import PROVENANCE
from kitline.trust.verify import examine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kitline.oci.manifest import Manifest
    from kitline.operations.claimed import ClaimedPlaces
    from kitline.operations.policy.places import Place, Places
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store

COUNT_LIMIT = 500
"""How many ancestors of one kit are looked at."""
ADDRESS_LIMIT = 8
"""How many repositories that provenance names are asked, for one kit and its ancestors."""
_CHAIN_SHOWN = 4
_ROLE_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Kin:
    """The kit itself, or an ancestor."""

    digest: Digest
    places: tuple[Place, ...]
    """Where it was found; nowhere if it is missing."""
    manifest: Manifest | None
    role: str = ""
    child: Kin | None = None
    """What was made from it; None for the kit itself."""
    is_part: bool = False
    """Whether it is a kit of an index."""

    def describe(self) -> str:
        """Return what messages call it."""
        if self.child is None:
            return "it"
        links: list[str] = []
        kin = self
        while kin.child is not None and len(links) < _CHAIN_SHOWN:
            role = f" ({kin.role})" if kin.role else ""
            links.append(f"{'kit' if kin.is_part else 'parent'} {kin.digest}{role}")
            kin = kin.child
        return " of ".join(links) + (" of its ancestors" if kin.child is not None else "")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kit and its ancestors, and what could not be read of them."""

    kin: tuple[Kin, ...]
    """The kit itself first; those that are missing included."""
    unread: tuple[str, ...]
    """A sentence for each parent that is missing and each place that did not answer."""


@dataclass(frozen=True, kw_only=True)
class _Named:
    digest: Digest | None
    """None if what the kit says is no digest."""
    role: str
    uri: str = ""
    is_part: bool = False
    is_stated: bool = False
    """Whether only a statement says so: what is missing then need not exist."""


def find_family(
    manifest: Manifest,
    found_in: Sequence[Place],
    places: Places,
    stores: Stores,
    claimed: ClaimedPlaces,
) -> Family:
    """Find a kit's ancestors, the nearest first, each once.

    `claimed` opens what provenance names: an address there may be anybody's choice.
    """
    kit = Kin(digest=manifest.digest, places=tuple(found_in), manifest=manifest)
    return _Search(places, stores, claimed).run(kit)


class _Search:
    """One walk upward."""

    def __init__(self, places: Places, stores: Stores, claimed: ClaimedPlaces) -> None:
        self._places = places
        self._stores = stores
        self._claimed = claimed
        self._silent: set[Place] = set()
        self._hosts: set[str] = set()
        self._unread: list[str] = []
        self._stated_stores: dict[str, Store] = {}

    def run(self, kit: Kin) -> Family:
        self._hosts = {_host(each.name) for each in kit.places}
        found = {kit.digest: kit}
        waiting = [kit]
        while waiting:
            child = waiting.pop(0)
            for named in self._parents(child):
                if named.digest is None:
                    self._unread.append(f"the parents that {child.describe()} names are malformed")
                elif named.digest not in found:
                    if len(found) > COUNT_LIMIT:
                        self._unread.append(f"it has more than {COUNT_LIMIT} ancestors")
                        return Family(kin=tuple(found.values()), unread=tuple(self._unread))
                    parent = self._find(named, named.digest, child)
                    found[parent.digest] = parent
                    waiting.append(parent)
        return Family(kin=tuple(found.values()), unread=tuple(self._unread))

    def _parents(self, child: Kin) -> Iterator[_Named]:
        if child.manifest is None:
            return
        stated = [each for place in child.places for each in self._stated(place, child.digest)]
        addresses = {each.digest: each.uri for each in stated if each.uri}
        if isinstance(child.manifest, ImageIndex):
            for part in child.manifest.references:
                yield _Named(digest=part.digest, role="", is_part=True)
        for digest, role in _named_parents(child.manifest.annotations.get(PARENTS, "")):
            yield _Named(digest=digest, role=role, uri=addresses.get(digest, ""))
        yield from stated

    def _stated(self, place: Place, kit: Digest) -> Iterator[_Named]:
        """Yield the parents that provenance names: OCI artifacts by their digests."""
        try:
            unsigned, _ = find_statements(cast("Store", place), kit, PROVENANCE)  # it only reads
            signed = examine(place, kit, None, PROVENANCE)
        except KitlineError as cause:
            self._unread.append(f"what is said of {kit} at {place.name!r} cannot be read: {cause}")
            return
        predicates = [each.predicate for each in unsigned if each.predicate is not None]
        predicates += [each.predicate for each in signed.passed]
        for predicate in predicates:
            yield from _dependencies(predicate)

    def _find(self, named: _Named, digest: Digest, child: Kin) -> Kin:
        places: list[Place] = []
        silent: list[str] = []
        manifest = None
        for place in self._candidates(child, named.uri, digest, silent):
            if place in self._silent:
                silent.append(f"{place.name!r} does not answer")
                continue
            try:
                manifest_here = place.find_manifest(digest)
            except KitlineError as cause:
                silent.append(f"{place.name!r} cannot be asked for {digest}: {cause}")
                if isinstance(cause, RegistryUnreachable):
                    self._silent.add(place)
                continue
            if manifest_here is not None:
                manifest = manifest_here
                places.append(place)
        kin = Kin(
            digest=digest,
            places=tuple(places),
            manifest=manifest,
            role=named.role,
            child=child,
            is_part=named.is_part,
        )
        if manifest is None and (silent or not named.is_stated):
            # a place that it was copied from may be gone; a place that was never asked may not
            self._unread += [f"{kin.describe()} cannot be found", *silent]
        return kin

    def _candidates(
        self, child: Kin, uri: str, digest: Digest, silent: list[str]
    ) -> tuple[Place, ...]:
        """Return where a parent may lie, each place once; one that is not asked is `silent`."""
        local = self._stores.local
        held = [name for name in local.list() if local.open(name).find_manifest(digest)]
        stores = [
            *(each.store for each in child.places),
            *self._stated_place(uri, child, silent),
            *(self._stores.open_local(name) for name in held),
            *(self._stores.open(Reference.parse(each)) for each in self._stores.settings.mirrors),
        ]
        return self._places.all_of(stores)

    def _stated_place(self, uri: str, child: Kin, silent: list[str]) -> list[Store]:
        """Open the repository that provenance names, unless it may not be asked."""
        try:
            reference = Reference.parse(uri.removeprefix("oci://"))
        except InvalidReference:
            return []
        if reference.is_bare:
            return []  # the local store is asked in any case
        name = reference.name
        if name not in self._stated_stores:
            if len(self._stated_stores) >= ADDRESS_LIMIT:
                silent.append(f"{name!r} was not asked: provenance names too many repositories")
                return []
            try:
                self._stated_stores[name] = self._open_stated(reference, child)
            except KitlineError as cause:
                silent.append(f"{name!r} was not asked: {cause}")
                return []
        return [self._stated_stores[name]]

    def _open_stated(self, reference: Reference, child: Kin) -> Store:
        if _host(reference.name) in self._hosts:
            return self._stores.open(reference)
        return self._claimed.open(reference, [each.name for each in child.places])


def _host(name: str) -> str:
    return name.partition("/")[0]


def _named_parents(text: str) -> Iterator[tuple[Digest | None, str]]:
    """Yield digest and role of the parents in a manifest; None for one that is malformed.

    Elsewhere a malformed parent counts as absent; here that would let its kit through.
    """
    try:
        found = decode(text.encode()) if text else []
    except ValueError:
        found = None
    if not isinstance(found, list):
        yield None, ""
        return
    for each in found:
        fields = each if isinstance(each, dict) else {}
        yield _digest(str(fields.get("digest", ""))), str(fields.get("role", ""))[:_ROLE_SHOWN]


def _dependencies(predicate: Mapping[str, Any]) -> Iterator[_Named]:
    definition = predicate.get("buildDefinition")
    listed = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
    for each in listed if isinstance(listed, list) else ():
        digests = each.get("digest") if isinstance(each, dict) else None
        uri = each.get("uri", "") if isinstance(each, dict) else ""
        if not isinstance(digests, dict) or not isinstance(uri, str):
            continue
        if uri and not uri.startswith("oci://"):
            continue  # a commit, a file elsewhere
        digest = _digest(f"sha256:{digests.get('sha256', '')}")
        notes = each.get("annotations")
        role = notes.get("role", "") if isinstance(notes, dict) else ""
        if digest is not None:
            yield _Named(digest=digest, role=str(role)[:_ROLE_SHOWN], uri=uri, is_stated=True)


def _digest(text: str) -> Digest | None:
    try:
        return Digest(text)
    except KitlineError:
        return None
