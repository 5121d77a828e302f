"""List: what the local store holds, or what tags a repository has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError, RepositoryNotFound
from kitline.frozen import dataclass
from kitline.kit.load import kit_format, load_kit
from kitline.oci.manifest import ImageManifest
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores, is_own_tag, read_reference
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.interface import Store
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ListedKit:
    """One kit of a repository."""

    repository: str
    digest: Digest | None
    """None if the whole repository cannot be read; `problem` says why."""
    tags: tuple[str, ...]
    name: str
    """Name of the package or the model, as the Kitfile has it."""
    size: int
    """Bytes of all layers."""
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the kit as `--json` prints it."""
        return {
            "repository": self.repository,
            "digest": None if self.digest is None else str(self.digest),
            "tags": list(self.tags),
            "name": self.name,
            "size": self.size,
            "problem": self.problem,
        }


def list_(
    repository: str | AnyReference | None = None,
    *,
    settings: Settings | None = None,
    all_tags: bool = False,
) -> list[ListedKit]:
    """List the kits of the local store, or of one repository.

    Tags that kits keep for themselves are left out unless `all_tags`; other artifacts always are.
    """
    settings = settings_or_default(settings)
    with Stores(settings) as stores:
        if repository is None:
            return [
                kit
                for name in stores.local.list()
                for kit in _list_local(stores.open_local(name), settings, all_tags)
            ]
        reference = read_reference(repository)
        store = stores.open(reference)
        kits = _list_store(store, settings, all_tags)
        if not kits and not store.list_tags():
            raise RepositoryNotFound(f"there is no repository {store.name!r}, or it is empty")
        return [
            kit
            for kit in kits
            if reference.tag in (None, *kit.tags) and reference.digest in (None, kit.digest)
        ]


def _list_local(store: Store, settings: Settings, all_tags: bool) -> list[ListedKit]:
    """List one of many repositories; a damaged one does not hide the others."""
    try:
        return _list_store(store, settings, all_tags)
    except KitlineError as cause:
        problem = str(cause)
        return [
            ListedKit(repository=store.name, digest=None, tags=(), name="", size=0, problem=problem)
        ]


def _list_store(store: Store, settings: Settings, all_tags: bool) -> list[ListedKit]:
    tagged: dict[Digest, list[str]] = {}
    own: list[str] = []
    for tag in store.list_tags():
        if is_own_tag(tag) and not all_tags:
            own.append(tag)
            continue
        found = store.find_tag(tag)
        if found is not None:
            tagged.setdefault(found.digest, []).append(tag)
    list_manifests = getattr(store, "list_manifests", None)
    if list_manifests is not None:
        for descriptor in list_manifests():
            if not descriptor.artifact_type and descriptor.digest not in tagged:
                tagged.setdefault(descriptor.digest, [])
    tasks = [partial(_read, store, digest, tuple(tags)) for digest, tags in tagged.items()]
    rows = run_all(tasks, workers=settings.concurrency, progress=SILENT)
    return sorted((row for row in rows if row), key=lambda row: (row.tags == (), row.tags))


def _read(
    store: Store, digest: Digest, tags: tuple[str, ...], _progress: Progress
) -> ListedKit | None:
    try:
        manifest = store.get_manifest(digest)
        if not isinstance(manifest, ImageManifest) or kit_format(manifest) is None:
            return None
        size = sum(layer.size for layer in manifest.layers)
        kitfile = load_kit(store, manifest).kitfile
        name = kitfile.package.name or (kitfile.model.name if kitfile.model else "")
        problem = ""
    except KitlineError as cause:
        name, size, problem = "", 0, str(cause)
    return ListedKit(
        repository=store.name, digest=digest, tags=tags, name=name, size=size, problem=problem
    )
