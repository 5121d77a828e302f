"""Export: a ModelKit becomes a tool's object, through a plugin's exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.kit.load import load_kit
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.import_ import import_context
from kitline.operations.notebook import shown
from kitline.operations.policy.gate import check_found, policy_limits
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.manager import Plugins
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an exporter made of a kit; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    target: str
    existed: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What to do next."""

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "target": self.target,
            "existed": self.existed,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def export(
    source: str | AnyReference,
    target: str,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    options: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
    cancelled: Callable[[], bool] | None = None,
) -> Exported:
    """Export a kit to `target`, an exporter's name with `:` and a place if it takes one.

    The exporter asks `cancelled` between two long steps, and stops where it says yes.

    Raises:
        Cancelled: if it was told to stop.
        PluginError: if no installed plugin has such an exporter.
        PolicyError: if a policy does not allow the kit to be used.
    """
    from kitline.plugin.records import Kit

    settings, progress = settings_or_default(settings), shown(progress)
    plugins = plugins_or_default(plugins, settings)
    name, _, place = target.partition(":")
    exporter = plugins.exporter(name)
    with Stores(settings) as stores:
        found = stores.find(read_reference(source))
        check_found(found, stores, use="export")
        kit = load_kit(found.store, found.manifest, name=str(found.asked))
        context = import_context(stores, progress, cancelled)  # one record serves both
        result = exporter.export(
            Kit(
                reference=found.reference,
                manifest=kit.manifest,
                kitfile=kit.kitfile,
                store=found.store,
                limits=policy_limits(settings, found.asked),
            ),
            place,
            options or {},
            context,
        )
        return Exported(
            reference=found.reference,
            digest=kit.manifest.digest,
            target=result.target,
            existed=result.existed,
            warnings=tuple(result.warnings),
            notes=tuple(result.notes),
        )
