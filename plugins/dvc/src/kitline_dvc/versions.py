"""Versions: files that a version-aware remote keeps under their own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_dvc.content import Content
from kitline_dvc.listing import check_names
from kitline_dvc.md5 import EMPTY

if TYPE_CHECKING:
    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.object_places import ObjectPlaces


def find_versions(places: ObjectPlaces, output: Output) -> list[Content]:
    """Return the files of an output that tells the version of each.

    Raises:
        SourceError: if one has neither a place here nor a version in a version-aware remote.
    """
    files = {each.path: each for each in output.files}
    rows = [(path, each.md5) for path, each in files.items()]
    what = repr(output.path)
    if list(files) != [""]:
        check_names([(path, md5 or EMPTY) for path, md5 in rows], what)
    known = [(path, md5) for path, md5 in rows if md5]
    found, missing = places.on_disk(output, known)
    left = {path for path, _ in missing} | {path for path, md5 in rows if not md5}
    if not left:
        return found
    remote = places.find_remote(output)
    if remote is None or not remote[0].is_versioned or remote[0].is_local:
        raise places.missing(output, [(path, files[path].md5 or "") for path in sorted(left)])
    for path in sorted(left):
        each = files[path]
        if each.size is None or each.size < 0:
            raise SourceError(f"{output.file!r} tells no size of {path!r} in {what}")
        if not each.md5 and not each.version:
            raise SourceError(f"{output.file!r} tells no version of {path!r} in {what}")
        full = f"{output.path}/{path}" if path else output.path
        found.append(
            Content(
                path=full,
                md5=each.md5,
                size=each.size,
                is_executable=output.is_executable and not path,
                remote=remote[0].versioned_path(full, each.version),
                fetcher=remote[1],
                is_ranged=True,
            )
        )
    return found
