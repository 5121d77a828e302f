"""Provenance: which repository, commit and remote a data kit was read from.

None of it is part of the kit: the same data has one digest wherever it lay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.plugin import provenance, without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import Statement

    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.revision import Revision

BUILD_TYPE = "https://kitline.io/dvc-import/v1"
_SHOWN = 20
"""Paths that are told by name; more are counted, for a statement is small."""


def describe_origin(
    revision: Revision,
    source: str,
    options: Mapping[str, str],
    remotes: Iterable[Remote],
    *,
    tells_folders: bool = False,
) -> Statement:
    """Return the statement: what was asked for, and commit and remotes that answered.

    A folder of this machine is told only with `tells_folders`, for data that stays there.
    """
    commit = revision.repository.commit
    shown = revision.paths[:_SHOWN]
    asked: dict[str, Any] = {"source": source, "paths": list(shown)}
    if len(revision.paths) > _SHOWN:
        asked["pathCount"] = len(revision.paths)
    if revision.asked:
        asked["revision"] = revision.asked
    told = {key: value for key, value in sorted(options.items()) if key in ("split", "data")}
    if told:
        asked["options"] = told
    dependency: dict[str, Any] = {"digest": {"gitCommit": commit}}
    if revision.address and "://" in revision.address:
        dependency["uri"] = f"git+{revision.address}@{commit}"
    if revision.repository.subdir:
        dependency["annotations"] = {"subdir": revision.repository.subdir}
    dependencies = [dependency]
    for name, remote in sorted({each.name: each for each in remotes}.items()):
        if tells_folders or not remote.is_local:
            dependencies.append(
                {
                    "uri": without_passwords(remote.url),
                    "annotations": {"role": "dvc-remote", "name": name},
                }
            )
    return provenance(
        build_type=BUILD_TYPE, external_parameters=asked, resolved_dependencies=dependencies
    )
