"""Import: a tool's object becomes a ModelKit, through a plugin's importer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.kit.pack import PackOptions
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.known import answer_known
from kitline.operations.pack import need_target, pack_tree
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.manager import Plugins
    from kitline.plugin.records import Collected, ImportContext
    from kitline.store.progress import Progress


def import_(
    source: str,
    to: str | AnyReference,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    options: Mapping[str, str] | None = None,
    move: bool = True,
    rehash: bool = False,
    progress: Progress = SILENT,
) -> KitResult:
    """Import what `source` names, such as `mlflow://runs/ID`, as the ModelKit `to`.

    A kit that the tool knows as made from this source is answered, after a look whether it is
    there, unless the option `again` is `true`.

    Raises:
        PluginError: if no installed plugin reads such sources; the message names what to install.
        SourceError: if the source is missing or not ready.
        WriteBackFailed: if the tool could not be told and the settings require it.
    """
    settings = settings_or_default(settings)
    plugins = plugins_or_default(plugins, settings)
    reference = need_target(read_reference(to))
    importer = plugins.importer_for(source)
    given, again = _take_again(options or {})
    with Stores(settings) as stores:
        collected = importer.collect(source, given, import_context(stores, progress))
        if collected.known and not again:
            known, said = answer_known(
                stores, collected, reference, plugins=plugins, move=move, progress=progress
            )
            if known is not None:
                return known
            collected = replace(collected, warnings=(*said, *collected.warnings))
        return pack_collected(  # here: the tree may read from stores that the importer opened
            collected,
            reference,
            settings=settings,
            plugins=plugins,
            move=move,
            rehash=rehash,
            progress=progress,
        )


def import_context(stores: Stores, progress: Progress = SILENT) -> ImportContext:
    """Return what an importer may use of kitline."""
    from kitline.plugin.records import ImportContext

    return ImportContext(
        progress=progress, open_store=lambda text: stores.open(read_reference(text))
    )


def _take_again(options: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """Take out the one option that is kitline's own: whether to make known kits again."""
    left = dict(options)
    again = left.pop("again", "false")
    if again not in ("true", "false"):
        raise UsageError(f"option 'again' is 'true' or 'false', not {again!r}")
    return left, again == "true"


def pack_collected(
    collected: Collected,
    to: str | AnyReference,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    move: bool = True,
    rehash: bool = False,
    progress: Progress = SILENT,
) -> KitResult:
    """Pack what an importer collected as the ModelKit `to`, and tell the tool.

    Its statements are attached once the kit has landed; one that cannot be is a warning of the
    result, and the kit stands.

    Raises:
        SourceError: if the collected tree cannot be a kit.
        WriteBackFailed: if the tool could not be told and the settings require it.
    """
    settings = settings_or_default(settings)
    return pack_tree(
        collected.tree,
        need_target(read_reference(to)),
        settings=settings,
        options=PackOptions(
            annotations=collected.manifest_annotations(), created=collected.created
        ),
        origin=collected.origin,
        parents=collected.parents,
        statements=collected.statements,
        warnings=collected.warnings,
        move=move,
        rehash=rehash,
        plugins=plugins,
        progress=progress,
    )
