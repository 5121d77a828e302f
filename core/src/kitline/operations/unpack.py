"""Unpack: a kit's drawers become files, from wherever the kit lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.frozen import dataclass
from kitline.kit.filters import parse_filters
from kitline.kit.kitfile import clean_path
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.load import load_kit
from kitline.kit.unpack import Pick
from kitline.kit.unpack import unpack as unpack_layers
from kitline.operations.defaults import settings_or_default
from kitline.operations.notebook import shown
from kitline.operations.policy.gate import check_found, policy_limits
from kitline.operations.remotes import base_chain, base_digest
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitline.kit.filters import Filters
    from kitline.kit.kitfile import Remote
    from kitline.kit.load import LoadedKit
    from kitline.kit.staging import Overwrite
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.interface import Fetcher
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class UnpackResult:
    """What was unpacked; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    folder: Path
    layers: int
    size: int
    """Uncompressed bytes."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "folder": str(self.folder),
            "layers": self.layers,
            "size": self.size,
            "warnings": list(self.warnings),
        }


def unpack(
    source: str | AnyReference,
    folder: str | Path = ".",
    *,
    settings: Settings | None = None,
    filters: Iterable[str] = (),
    existing: Overwrite = "refuse",
    include_remote: bool = False,
    durable: bool = True,
    progress: Progress = SILENT,
) -> UnpackResult:
    """Unpack a kit into a folder.

    Filters such as `model` or `datasets:train` choose what; `existing` says what to do with files
    that are there: `refuse`, `replace` or `skip`. Files appear when all of them are verified.

    Raises:
        VerificationError: if content is not what its digest promises; nothing is kept.
        TargetError: if files are in the way.
        PolicyError: if a policy does not allow the kit, or one that it takes its model or datasets
            from, to be used.
    """
    chosen = parse_filters(filters)
    progress = shown(progress)
    with Stores(settings_or_default(settings)) as stores:
        found = stores.find(read_reference(source))
        check_found(found, stores, use="unpack")
        kit = load_kit(found.store, found.manifest, name=str(found.asked))
        picks = [_pick(found.store, kit, chosen), *_remotes(stores, kit, chosen, include_remote)]
        has_kitfile = kit.has_kitfile and chosen.wants_kitfile
        done = unpack_layers(
            picks,
            Path(folder),
            kitfile=write_kitfile(kit.kitfile).encode() if has_kitfile else None,
            existing=existing,
            durable=durable,
            limits=policy_limits(stores.settings, found.asked),
            progress=progress,
        )
        return UnpackResult(
            reference=found.store.pin(kit.manifest.digest),
            digest=kit.manifest.digest,
            folder=Path(folder),
            layers=done.layers,
            size=done.size,
            warnings=(*done.warnings, *_left_out(kit, chosen, include_remote)),
        )


def _pick(store: Fetcher, kit: LoadedKit, filters: Filters, *, model_only: bool = False) -> Pick:
    layers = [
        (part, layer)
        for part, layer in kit.layers
        if filters.selects(part) and (not model_only or part.drawer == "model")
    ]
    return Pick(store=store, layers=layers, trusts_diff_ids=kit.format == "modelkit")


def _remotes(stores: Stores, kit: LoadedKit, filters: Filters, include: bool) -> Iterator[Pick]:
    """Pick what lies in other kits: the base model always, datasets when asked for."""
    for remote in kit.kitfile.remotes():
        if remote.drawer == "model":
            if filters.wants("model"):
                for found, base in base_chain(stores, remote.target, base_digest(kit)):
                    check_found(found, stores, use="unpack")
                    yield _pick(found.store, base, filters, model_only=True)
        elif include and filters.selects(remote):
            yield _remote_dataset(stores, remote)


def _remote_dataset(stores: Stores, remote: Remote) -> Pick:
    """Pick the datasets of another kit; they go below the path of this dataset."""
    if remote.target.startswith("s3://"):
        raise SourceError(
            f"{remote.field}: kitline does not fetch {remote.target!r};"
            " fetch it with an S3 client, or leave --include-remote away"
        )
    found = stores.find(read_reference(remote.target))
    check_found(found, stores, use="unpack")
    kit = load_kit(found.store, found.manifest, name=remote.target)
    layers = [(part, layer) for part, layer in kit.layers if part.drawer == "datasets"]
    return Pick(
        store=found.store,
        layers=layers,
        trusts_diff_ids=kit.format == "modelkit",
        below=clean_path(remote.path),
    )


def _left_out(kit: LoadedKit, filters: Filters, include: bool) -> Iterator[str]:
    for remote in kit.kitfile.remotes():
        if remote.drawer == "datasets" and not include and filters.selects(remote):
            yield (
                f"{remote.field} lies elsewhere, at {remote.target!r}, and was not fetched;"
                " --include-remote fetches it from other kits"
            )
