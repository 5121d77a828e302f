"""What passes between kitline and a plugin: frozen records, and nothing that does work."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.oci.json import encode, sorted_map
from kitline.oci.media_types import BY_REFERENCE, PARENTS, RECIPE
from kitline.plugin.parent import Parent, parents_text
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from kitline.kit.kitfile import Kitfile
    from kitline.kit.limits import Limits
    from kitline.kit.tree import KitTree
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import ImageManifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.plugin.receipt import Receipt
    from kitline.store.interface import Store
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where content came from; kept beside a kit until it is pushed, never inside it."""

    importer: str
    source: str
    """The canonical form of what was imported: no option, no server and no secret in it."""
    server: str | None = None
    """The tool's address, for the write-back; without password."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Facts about a kit that may still change; attached to it as a referrer, not part of it."""

    predicate_type: str
    predicate: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What an importer found: the tree to pack, and what to say of it.

    Everything here but `origin`, `statements`, `known` and `warnings` goes into the manifest, so it
    must be the same whenever and wherever the same content is collected (design.md section 8).
    """

    tree: KitTree
    origin: Origin
    recipe: str
    """`<importer>/<n>`; n rises when unchanged input gives other bytes."""
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    parents: tuple[Parent, ...] = ()
    created: datetime | None = None
    """Only when it belongs to the content, such as the creation time of a model."""
    statements: tuple[Statement, ...] = ()
    """Attached to the kit after it has landed; what is there already is not written again."""
    known: tuple[PinnedReference, ...] = ()
    """Kits that the tool remembers as made from this source with these options. Import answers the
    first that is really there and says the same of itself, unless told `-o again=true`. A source
    that only points to a kit says nothing of it: no annotations, parents and `created`."""
    warnings: tuple[str, ...] = ()
    by_reference: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Layers that only list data that lies elsewhere: path, and what checks it, such as `md5`."""

    def manifest_annotations(self) -> dict[str, str]:
        """Return `annotations` with recipe and parents; `created` is left to whoever packs."""
        result = {**self.annotations, RECIPE: self.recipe}
        if self.by_reference:
            result[BY_REFERENCE] = encode(sorted_map(self.by_reference)).decode()
        if self.parents:
            result[PARENTS] = parents_text(self.parents)
        return result


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class ImportContext:
    """What an importer or exporter may use of the program that calls it."""

    progress: Progress = SILENT
    cancelled: Callable[[], bool] = _never
    """Ask it between two long steps; raise `Cancelled` when it says yes."""
    open_store: Callable[[str], Store] | None = None
    """Opens the store of a reference, with the user's settings and credentials."""
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)


ExportContext = ImportContext


@dataclass(frozen=True, kw_only=True)
class Importer:
    """Makes kits from a tool's objects.

    `collect(source, options, context)` reads as little as it can: the tree opens files on demand.
    `expand(source, options, context)` names what a container holds, such as the runs of an
    experiment: sources that `collect` takes.
    """

    name: str
    schemes: tuple[str, ...]
    """Without colon. Each begins with the tool's name, or is one that the tool itself defines."""
    summary: str
    collect: Callable[[str, Mapping[str, str], ImportContext], Collected]
    expand: Callable[[str, Mapping[str, str], ImportContext], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A kit to export; its content is read from `store`."""

    reference: PinnedReference | LayoutReference
    manifest: ImageManifest
    kitfile: Kitfile
    store: Store
    limits: Limits = DEFAULT_LIMITS
    """What is refused while it is read, by policies too."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What an exporter made."""

    target: str
    """The tool's name for it, such as `models:/iris/3`."""
    existed: bool = False
    """Whether it was there before, so that nothing was written."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What people should do next, such as files to commit; no warnings."""


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Makes a tool's objects from kits: `export(kit, target, options, context)`."""

    name: str
    summary: str
    export: Callable[[Kit, str, Mapping[str, str], ExportContext], ExportResult]


@dataclass(frozen=True, kw_only=True)
class PushedEvent:
    """A kit has landed under its final reference."""

    reference: PinnedReference | LayoutReference
    manifest: ImageManifest
    tag: str | None = None
    origin: Origin | None = None
    """None if the kit was not imported from a tool."""
    receipt: Receipt | None = None

    @property
    def digest(self) -> Digest:
        """The digest of the kit."""
        return self.manifest.digest


@dataclass(frozen=True, kw_only=True)
class PromotedEvent:
    """A stage now points at a digest."""

    reference: PinnedReference | LayoutReference
    """In the repository of the stage, which may be another than that of the kit."""
    stage: str
    previous: Digest | None = None
    """What the stage pointed at before."""
    origin: Origin | None = None
    """None if the kit was not imported here, so that nobody knows."""
    seq: int = 0
    """The number of the move in the history of the stage; the first is 1."""
    record: Digest | None = None
    """The digest of the promotion record."""
    action: str = "promote"
    """`promote` or `rollback`."""
    reason: str = ""

    @property
    def digest(self) -> Digest:
        """The digest of the kit."""
        assert self.reference.digest is not None  # a pinned reference has one
        return self.reference.digest


@dataclass(frozen=True, kw_only=True)
class WriteBack:
    """What a plugin told its tool; with a `warning` it could not, and the push stands."""

    plugin: str
    target: str = ""
    """What was written to, such as `run 1f2e…`."""
    warning: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the tool knows."""
        return self.warning is None
