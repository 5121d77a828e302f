"""Importer: what DVC tracks at a git revision becomes a kit, without a checkout.

Identity is path, md5 and content. Repository, commit, remote and the revision that was asked for go
into the provenance and the origin, so that data that did not change keeps its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import Cancelled
from kitline.plugin import Collected, Origin, without_passwords

from kitline_dvc.by_reference import is_by_reference
from kitline_dvc.content_finder import ContentFinder
from kitline_dvc.inside.version import check_version
from kitline_dvc.kit_layout import lay_out
from kitline_dvc.options import Options
from kitline_dvc.provenance import describe_origin
from kitline_dvc.revision import open_revision
from kitline_dvc.selection import select
from kitline_dvc.source import DvcSource
from kitline_dvc.stage_source import stage_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import ImportContext

    from kitline_dvc.revision import Revision

RECIPE = "dvc/1"


def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    """Collect tracked paths; their files are opened, and checked by md5, when they are packed.

    Raises:
        UsageError: if source or options cannot be understood.
        SourceError: if repository, revision, path or a file is missing, or the workspace is dirty.
    """
    wanted, chosen = DvcSource.parse(source), Options.parse(options)
    check_version()
    revision = open_revision(wanted, chosen)
    finder = ContentFinder(revision.repository, remote=chosen.remote, fill_cache=chosen.fill_cache)
    try:
        return _collect(source, options, chosen, revision, finder, context)
    finally:
        finder.close()
        revision.repository.close()


def _collect(
    source: str,
    given: Mapping[str, str],
    chosen: Options,
    revision: Revision,
    finder: ContentFinder,
    context: ImportContext,
) -> Collected:
    repository = revision.repository
    selection = select(repository, revision.paths)
    found = []
    for each in selection.tracked:
        if context.cancelled():
            raise Cancelled(f"import of {without_passwords(source)!r} was cancelled")
        content = finder.find(each)
        if chosen.data == "reference" and each.output is not None:
            finder.require_in_remote(each.output, content.files)
        found.append((each, content))
    facts = stage_parameters(repository, selection.stages, finder, everything=chosen.parameters)
    canonical = DvcSource(paths=revision.paths).canonical(repository.commit)
    statement = describe_origin(
        revision,
        _shown(source),
        given,
        finder.remotes(),
        md5s={each.path: content.md5 for each, content in found},
        tells_folders=chosen.data == "reference",
    )
    tree = lay_out(repository, found, chosen, facts)
    return Collected(
        tree=tree,
        by_reference={each.path: "md5" for each in tree.kitfile.datasets if is_by_reference(each)},
        recipe=RECIPE,
        origin=Origin(importer="dvc", source=canonical, server=_server(revision.address)),
        statements=(statement,),
    )


def _server(address: str | None) -> str | None:
    return without_passwords(address) if address else None


def _shown(source: str) -> str:
    """Return a source as it may be told: no user, and no folder of this machine."""
    scheme, separator, rest = source.partition("://")
    if not separator:
        return without_passwords(source)
    address, mark, query = rest.partition("?")
    host, slash, path = address.partition("/")
    if scheme == "dvc+file":
        return f"{scheme}:{mark}{query}"
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{mark}{query}"
