"""Outputs: what `.dvc` files and stages of a revision track, as values."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, kw_only=True)
class VersionedFile:
    """A file that a version-aware remote keeps under its own name."""

    path: str
    """Relative to the output, empty for an output that is a file."""
    md5: str | None
    size: int | None
    version: str | None


@dataclass(frozen=True, kw_only=True)
class ImportedFrom:
    """Where `dvc import` took an output from."""

    repository: str
    commit: str | None
    path: str


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a `.dvc` file or of a stage, as a revision has it; paths are relative."""

    path: str
    md5: str | None
    """With `.dir` for a folder; None if nobody has made the output yet."""
    hash_name: str
    size: int | None
    is_folder: bool
    is_executable: bool
    in_git: bool
    """`cache: false`: the content is kept by git."""
    kind: str
    """The `type` that people gave it, such as `model`."""
    remote: str | None
    file: str
    """The `.dvc` or `dvc.yaml` that names it."""
    stage: str | None
    """The stage of a `dvc.yaml`."""
    is_metric: bool
    is_plot: bool
    files: tuple[VersionedFile, ...]
    imported: ImportedFrom | None


def read_output(out: Any, root: str) -> Output:
    """Return an output of DVC's as a value; `root` is what its paths become relative to."""
    stage = out.stage
    files = tuple(_versioned(each) for each in out.files or ())
    if not files and out.meta.version_id:
        files = (
            VersionedFile(
                path="", md5=out.meta.md5, size=out.meta.size, version=out.meta.version_id
            ),
        )
    return Output(
        path=posixpath.relpath(str(out.fs_path), root),
        md5=(out.hash_info.value if out.hash_info else None) or None,
        hash_name=out.hash_name,
        size=out.meta.size,
        is_folder=bool(out.meta.isdir or (out.hash_info and out.hash_info.isdir)),
        is_executable=bool(out.meta.isexec),
        in_git=not out.use_cache,
        kind=out.annot.type or "",
        remote=out.remote,
        file=posixpath.relpath(str(stage.path), root),
        stage=getattr(stage, "name", None),
        is_metric=bool(out.metric),
        is_plot=bool(out.plot),
        files=files,
        imported=_imported(stage),
    )


def _versioned(fields: Mapping[str, Any]) -> VersionedFile:
    return VersionedFile(
        path=str(fields["relpath"]),
        md5=fields.get("md5"),
        size=fields.get("size"),
        version=fields.get("version_id"),
    )


def _imported(stage: Any) -> ImportedFrom | None:
    if not stage.is_repo_import:
        return None
    (source,) = stage.deps
    return ImportedFrom(
        repository=source.def_repo["url"],
        commit=source.def_repo.get("rev_lock") or source.def_repo.get("rev"),
        path=source.def_path,
    )
