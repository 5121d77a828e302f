"""Opening stores by reference, and finding a kit by its name once.

A tag is resolved here and nowhere else; everything behind works with the digest that it gave.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import ManifestNotFound, TagNotFound, UsageError
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.oci.reference import LayoutReference, Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import PinnedReference
    from kitline.operations.settings import Settings
    from kitline.store.interface import Store
    from kitline.store.layout_reading import LayoutReader
    from kitline.store.local import LocalStores
    from kitline.store.registry import RegistryOptions

AnyReference = Reference | LayoutReference


@dataclass(frozen=True, kw_only=True)
class Found:
    """An artifact, resolved: where it is, its manifest and the name that cannot move."""

    store: Store
    manifest: Manifest
    reference: PinnedReference | LayoutReference
    asked: AnyReference


class Stores:
    """Opens stores as they are needed and closes them together; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, Store] = {}

    @property
    def local(self) -> LocalStores:
        """The local store: one layout per repository."""
        from kitline.store.local import LocalStores

        return LocalStores(self.settings.store_folder)

    def open(self, reference: AnyReference) -> Store:
        """Open the repository that a reference names: local if bare, else a registry or layout."""
        if isinstance(reference, LayoutReference):
            return self._once(reference.name, lambda: _open_layout(reference))
        if reference.registry is None:
            return self.open_local(reference.name)
        return self._once(f"registry {reference.name}", lambda: self._open_registry(reference))

    def open_target(self, reference: AnyReference) -> Store:
        """Open the repository that a kit is written to, by `reference`.

        Raises:
            UsageError: if that is the local store of a pod, which nobody would see again.
        """
        if isinstance(reference, Reference) and reference.is_bare:
            self._require_lasting_home(reference)
        return self.open(reference)

    def _require_lasting_home(self, reference: Reference) -> None:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not self.settings.is_home_chosen:
            raise UsageError(
                f"{str(reference)!r} names no registry, and the local store would go with this pod;"
                f" write 'registry/{reference}', or set KITLINE_HOME to a volume that stays"
            )

    def open_local(self, name: str) -> Store:
        """Open a repository of the local store; it is created when something is written."""
        return self._once(f"local {name}", lambda: self.local.open(name))

    def find(self, reference: AnyReference) -> Found:
        """Resolve a reference to a manifest.

        A pinned reference to a registry is first looked for in the local store, which holds what
        was pulled.

        Raises:
            TagNotFound: if there is no such tag.
            ManifestNotFound: if there is no such manifest.
        """
        held = self._find_pulled(reference)
        if held is not None:
            return held
        store = self.open(reference)
        manifest = find_manifest(store, reference)
        return Found(
            store=store, manifest=manifest, reference=store.pin(manifest.digest), asked=reference
        )

    def _find_pulled(self, reference: AnyReference) -> Found | None:
        if isinstance(reference, LayoutReference) or reference.is_bare:
            return None
        if reference.digest is None or not self.local.exists(reference.name):
            return None
        store = self.open_local(reference.name)
        manifest = store.find_manifest(reference.digest)
        if manifest is None or not all(store.has_blob(d.digest) for d in manifest.references):
            return None
        pinned = reference.pin(reference.digest)
        return Found(store=store, manifest=manifest, reference=pinned, asked=reference)

    def check_login(self, registry: str, username: str, password: str) -> None:
        """Ask a registry whether it accepts a user name and password.

        Raises:
            AuthenticationFailed: if it does not.
        """
        from kitline.store.registry import open_registry

        options = replace(self.registry_options(registry), username=username, password=password)
        with open_registry(Reference(registry=registry, repository="x"), options) as store:
            store.check_login()

    def _open_registry(self, reference: Reference) -> Store:
        from kitline.store.registry import open_registry

        return open_registry(reference, self.registry_options(reference.registry or ""))

    def registry_options(self, registry: str) -> RegistryOptions:
        """Return how to speak to a registry, by the settings.

        Raises:
            UsageError: if policy does not allow that registry.
        """
        from kitline.store.registry import RegistryOptions, RetryPolicy

        allowed = self.settings.policy.registries
        if allowed and registry not in allowed:
            raise UsageError(
                f"registry {registry!r} is not allowed by policy; allowed: {', '.join(allowed)}"
            )
        tries = self.settings.tries
        username, password = self.settings.credentials.get(registry, (None, None))
        return RegistryOptions(
            username=username,
            password=password,
            sessions=self.settings.sessions,
            retry=RetryPolicy() if tries is None else RetryPolicy(tries=tries),
            plain_http=self.settings.speaks_plain_http(registry),
            trusted=allowed if self.settings.policy.public_only else None,
            insecure=self.settings.is_insecure(registry),
            ca_file=self.settings.ca_file,
            journal=self.settings.journal_folder,
            concurrency=self.settings.concurrency,
        )

    def _once(self, key: str, opener: Callable[[], Store]) -> Store:
        if key not in self._opened:
            self._opened[key] = opener()
        return self._opened[key]

    def close(self, error: BaseException | None = None) -> None:
        """Close every store; after an `error` an archive under way is dropped, not written."""
        opened, self._opened = list(self._opened.values()), {}
        with ExitStack() as stack:  # all are closed even if one fails, targets before sources
            for store in opened:
                stack.callback(store.__exit__, type(error) if error else None, error, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(error)


def find_manifest(store: Store, reference: AnyReference) -> Manifest:
    """Return the manifest that a reference names in its store, resolving a tag once."""
    target = reference.require_target()
    if target is None:
        return store.get_manifest(_layout(store).find_single().digest)
    if isinstance(target, Digest):
        manifest = store.find_manifest(target)
        if manifest is None:
            raise ManifestNotFound(f"{store.name!r} has no manifest {target}")
        return manifest
    descriptor = store.find_tag(target)
    if descriptor is None:
        raise TagNotFound(_missing_tag(store, target, reference))
    return store.get_manifest(descriptor.digest)


def _layout(store: Store) -> LayoutReader:
    from kitline.store.layout_reading import LayoutReader

    assert isinstance(store, LayoutReader)  # only layouts are named without tag and digest
    return store


def read_reference(text: str | AnyReference) -> AnyReference:
    """Accept a reference as text or value."""
    return parse_reference(text) if isinstance(text, str) else text


def read_repository(text: str | AnyReference) -> AnyReference:
    """Read the name of a repository.

    Raises:
        UsageError: if it has a tag or a digest.
    """
    found = read_reference(text)
    if found.tag is not None or found.digest is not None:
        raise UsageError(f"{str(found)!r} names a kit; name the repository, {found.name!r}")
    return found


def _missing_tag(store: Store, tag: str, reference: AnyReference) -> str:
    tags = store.list_tags()
    shown = [repr(each) for each in tags if not is_own_tag(each)][:5]
    if shown:
        there = f"there are {', '.join(shown)}"
    elif tags:
        command = f"kitline list --all {store.name}"
        there = f"it has only tags that kits keep for themselves; {command!r} shows them"
    else:
        there = "it has no tags; is the name right?"
    is_bare = isinstance(reference, Reference) and reference.is_bare
    if is_bare and not tags:
        there += " 'kitline list' shows what is stored here"
    where = "the local store's " if is_bare else ""
    return f"no tag {tag!r} in {where}{store.name!r}; {there}"


def is_own_tag(tag: str) -> bool:
    """Tell whether a tag is kitline's or cosign's own: keep tags, referrers, fallback indexes."""
    if tag.startswith(("kit-", "sha256-")) or (len(tag) > 33 and tag[32] == "."):
        return True
    from kitline.promotion.names import find_record_tag

    return find_record_tag(tag) is not None


def _open_layout(reference: LayoutReference) -> Store:
    from kitline.store.local import open_layout

    return open_layout(reference)
