"""Provenance: which repository, commit and remote a data kit was read from.

None of it is part of the kit: the same data has one digest wherever it lay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin import provenance, without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import Statement

    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.revision import Revision

BUILD_TYPE = "https://kitline.io/dvc-import/v1"
_SHOWN = 16
"""Paths that are told by name; more are counted, for a statement is small."""


def describe_origin(
    revision: Revision,
    source: str,
    options: Mapping[str, str],
    remotes: Iterable[Remote],
    *,
    md5s: Mapping[str, str | None],
    tells_folders: bool = False,
) -> Statement:
    """Return the statement: what was asked for; and commit, data and remotes that answered.

    `md5s` is what DVC calls the data of each path. A folder of this machine is told only with
    `tells_folders`, for data that stays there.
    """
    remotes = list(remotes)
    for shown in (_SHOWN, 3, 0):
        try:
            return _statement(revision, source, options, remotes, md5s, shown, tells_folders)
        except UsageError:  # a provenance is small, and paths may be long
            if not shown:
                raise
    raise AssertionError("unreachable")


def _statement(
    revision: Revision,
    source: str,
    options: Mapping[str, str],
    remotes: Iterable[Remote],
    md5s: Mapping[str, str | None],
    most: int,
    tells_folders: bool,
) -> Statement:
    commit = revision.repository.commit
    asked: dict[str, Any] = {"paths": list(revision.paths[:most])}
    if most:
        asked["source"] = source
    if len(revision.paths) > most:
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
    dependencies = [dependency, *_data(md5s, most)]
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


def _data(md5s: Mapping[str, str | None], most: int) -> list[dict[str, Any]]:
    """Return the data as resource descriptors; DVC marks the md5 of a listing with `.dir`."""
    return [
        {
            "name": path,
            "digest": {"md5": md5.removesuffix(".dir")},
            "annotations": {"dvc": md5},
        }
        for path, md5 in sorted(md5s.items())[:most]
        if md5
    ]
