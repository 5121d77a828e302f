"""GTO tags: a promotion is told to the git repository that knows the kit's data, when asked.

Which commit that is, the provenance of the kit says, which nobody signed; so the tag is written
only where an artifact of that commit has the md5 that the kit has.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import kitline
from kitline.errors import SourceError
from kitline.plugin import WriteBack

from kitline_dvc.datasets import kit_datasets
from kitline_dvc.inside.git import assign_stage, open_scm
from kitline_dvc.options import Options
from kitline_dvc.provenance import BUILD_TYPE
from kitline_dvc.revision import open_revision
from kitline_dvc.source import DvcSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitline.plugin import PromotedEvent

VARIABLE = "KITLINE_DVC_GTO"
"""Names the folder of the git repository in which promotions are tagged; unset for none."""


def tag_promotion(event: PromotedEvent, folder: str) -> WriteBack | None:
    """Write `ARTIFACT#STAGE#N` at the commit of the kit's data; None if it has none of DVC.

    Raises:
        SourceError: if no commit that the provenance names has an artifact with this data.
    """
    with kitline.open_kit(str(event.reference)) as kit:
        wanted = {each.path: each.claimed_md5 for each in kit_datasets(kit) if each.claimed_md5}
    if not wanted:
        return None
    scm = open_scm(os.path.abspath(folder))
    try:
        for commit in dict.fromkeys(_commits(event)):
            names = _artifacts(folder, commit, wanted)
            if names:
                tags = [assign_stage(scm, name, event.stage, commit) for name in names]
                return WriteBack(plugin="dvc", target=f"git tag {', '.join(tags)} in {folder}")
    finally:
        scm.close()
    raise SourceError(
        f"cannot tag {event.stage!r} in {folder!r}: no commit that the provenance of"
        f" {event.reference} names has an entry under 'artifacts:' in dvc.yaml with its data"
        f" ({', '.join(f'{path} {md5}' for path, md5 in sorted(wanted.items())[:3])})"
    )


def _commits(event: PromotedEvent) -> Iterator[str]:
    """Yield the commits at which the data is said to have been."""
    for each in kitline.read_statements(event.reference):
        build = (each.predicate or {}).get("buildDefinition") or {}
        if build.get("buildType") != BUILD_TYPE:
            continue
        for dependency in build.get("resolvedDependencies") or []:
            commit = (dependency.get("digest") or {}).get("gitCommit")
            if isinstance(commit, str):
                yield commit
    if event.origin is not None and event.origin.importer == "dvc":
        yield event.origin.source.rpartition("@")[2]


def _artifacts(folder: str, commit: str, wanted: Mapping[str, str | None]) -> list[str]:
    """Return GTO's names of the artifacts at a commit that are the data; none if it is unknown."""
    try:
        opened = open_revision(
            DvcSource(paths=(os.curdir,), revision=commit), Options(repo=os.path.abspath(folder))
        )
    except SourceError:
        return []
    repository = opened.repository
    md5s = {each.path: each.md5 for each in repository.outputs()}
    return sorted(
        name
        for name, path in repository.artifacts().items()
        if path in wanted and md5s.get(path) == wanted[path]
    )
