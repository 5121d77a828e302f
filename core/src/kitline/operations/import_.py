"""Import: a tool's object becomes a ModelKit, through a plugin's importer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.kit.pack import PackOptions
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.known import answer_known
from kitline.operations.lineage.parents import resolve_parents, unique_parents
from kitline.operations.notebook import shown
from kitline.operations.pack import need_target, pack_tree
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.plugin.parent import Parent
    from kitline.plugin.records import Collected, ImportContext, Statement
    from kitline.store.progress import Progress


def import_(
    source: str,
    to: str | AnyReference,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    options: Mapping[str, str] | None = None,
    parents: Iterable[Parent | str] = (),
    statements: Iterable[Statement] = (),
    invocation: Invocation | None = None,
    provenance: bool = True,
    move: bool = True,
    rehash: bool = False,
    progress: Progress = SILENT,
    cancelled: Callable[[], bool] | None = None,
) -> KitResult:
    """Import what `source` names, such as `mlflow://runs/ID`, as the ModelKit `to`.

    A kit that the tool knows as made from this source is answered, after a look whether it is
    there, unless the option `again` is `true`. `parents`, `statements`, `invocation` and
    `provenance` are those of `pack`, in addition to what the importer found. The importer asks
    `cancelled` between two long steps, and stops where it says yes.

    Raises:
        Cancelled: if it was told to stop; nothing is left under a final name.
        PluginError: if no installed plugin reads such sources; the message names what to install.
        SourceError: if the source is missing or not ready.
        WriteBackFailed: if the tool could not be told and the settings require it.
    """
    settings, progress = settings_or_default(settings), shown(progress)
    plugins = plugins_or_default(plugins, settings)
    reference = need_target(read_reference(to))
    importer = plugins.importer_for(source)
    given, again = _take_again(options or {})
    with Stores(settings) as stores:
        collected = importer.collect(source, given, import_context(stores, progress, cancelled))
        collected = _with_more(collected, resolve_parents(stores, parents), statements)
        if collected.known and not again:
            known, said = answer_known(
                stores,
                collected,
                reference,
                plugins=plugins,
                invocation=invocation,
                provenance=provenance,
                move=move,
                progress=progress,
            )
            if known is not None:
                return known
            collected = replace(collected, warnings=(*said, *collected.warnings))
        return pack_collected(  # here: the tree may read from stores that the importer opened
            collected,
            reference,
            settings=settings,
            plugins=plugins,
            invocation=invocation,
            provenance=provenance,
            move=move,
            rehash=rehash,
            progress=progress,
        )


def _with_more(
    collected: Collected, parents: Sequence[Parent], statements: Iterable[Statement]
) -> Collected:
    return replace(
        collected,
        parents=unique_parents((*collected.parents, *parents)),
        statements=(*collected.statements, *statements),
    )


def import_context(
    stores: Stores, progress: Progress = SILENT, cancelled: Callable[[], bool] | None = None
) -> ImportContext:
    """Return what an importer may use of kitline."""
    from kitline.plugin.records import ImportContext

    context = ImportContext(
        progress=progress, open_store=lambda text: stores.open(read_reference(text))
    )
    return context if cancelled is None else replace(context, cancelled=cancelled)


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
    parents: Iterable[Parent | str] = (),
    statements: Iterable[Statement] = (),
    invocation: Invocation | None = None,
    provenance: bool = True,
    move: bool = True,
    rehash: bool = False,
    progress: Progress = SILENT,
) -> KitResult:
    """Pack what an importer collected as the ModelKit `to`, and tell the tool.

    `parents`, `statements`, `invocation` and `provenance` are those of `pack`, in addition to what
    was collected. Statements are attached once the kit has landed; one that cannot be is a warning
    of the result, and the kit stands.

    Raises:
        SourceError: if the collected tree cannot be a kit.
        WriteBackFailed: if the tool could not be told and the settings require it.
    """
    settings, progress = settings_or_default(settings), shown(progress)
    return pack_tree(
        collected.tree,
        need_target(read_reference(to)),
        settings=settings,
        options=PackOptions(
            annotations=collected.manifest_annotations(), created=collected.created
        ),
        origin=collected.origin,
        parents=(*collected.parents, *parents),
        statements=(*collected.statements, *statements),
        invocation=invocation,
        provenance=provenance,
        warnings=collected.warnings,
        move=move,
        rehash=rehash,
        plugins=plugins,
        progress=progress,
    )
