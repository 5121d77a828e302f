"""Revision: which commit of which repository a source means, and whether that is all of it.

Without a revision the last commit is meant, and a workspace that differs from it is refused.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError, UsageError
from kitline.plugin import without_passwords

from kitline_dvc.inside.changes import changed_paths
from kitline_dvc.inside.clone_config import CloneRemotes
from kitline_dvc.inside.clones import clone
from kitline_dvc.inside.git import find_commit, find_subdir, find_tag, is_bare, open_scm
from kitline_dvc.inside.repository import Repository, open_at
from kitline_dvc.source import STAGE, file_folder, read_repository

if TYPE_CHECKING:
    from kitline.plugin import LockedFolder

    from kitline_dvc.options import Options
    from kitline_dvc.source import Artifact, DvcSource


@dataclass(frozen=True, kw_only=True)
class Revision:
    """An open repository, and what was asked of it; `paths` are relative to it, empty for all."""

    repository: Repository
    paths: tuple[str, ...]
    asked: str | None
    """The revision as it was asked for."""
    address: str | None
    """Where the repository lies for others; without password."""
    artifact: Artifact | None = None


def open_revision(source: DvcSource, options: Options) -> Revision:
    """Open what a source means.

    Raises:
        SourceError: if there is no such repository, revision or path, or the workspace is dirty.
    """
    address = source.repository
    if address is None and options.repo is not None:
        address = read_repository(options.repo)
    elif options.repo is not None:
        raise UsageError("option 'repo' names a repository, and so does the source; drop one")
    asked = options.rev or source.revision
    folder = file_folder(address) if address else (options.repo or os.curdir)
    cloned: LockedFolder | None = None
    if folder is None:
        assert address is not None
        scm, cloned = clone(address, asked)
    else:
        scm = open_scm(_existing(folder))
    try:
        opened = _open(scm, Path(folder) if folder is not None else None, source, options, asked)
    except BaseException:
        if cloned is not None:
            cloned.close()
        raise
    opened.repository.owns(cloned)
    shown = address if folder is None else None
    return Revision(
        repository=opened.repository,
        paths=opened.paths,
        asked=asked,
        address=without_user(shown) if shown else opened.repository.address,
        artifact=source.artifact,
    )


def open_elsewhere(
    url: str, commit: str | None, path: str, outer: Repository, *, remote: str | None
) -> Revision:
    """Open the repository that a path was imported from; a folder is looked up beside `outer`.

    `remote` is the one that the user named, and may be read in a clone too.

    Raises:
        SourceError: if it cannot be reached.
    """
    from kitline_dvc.options import Options
    from kitline_dvc.source import DvcSource

    is_folder = "://" not in url and not _is_scp(url)
    if outer.is_clone and (is_folder or url.lower().startswith("file:")):
        raise SourceError(
            f"{path!r} was imported from {url!r}: a repository that lies elsewhere may not name"
            " folders of this machine; clone it, and import from the clone"
        )
    if is_folder:
        if outer.root is None and not posixpath.isabs(url):
            raise SourceError(
                f"{path!r} was imported from {url!r}, a folder that only its workspace knows"
            )
        folder = os.path.join(outer.root or os.sep, url)
        source = DvcSource(paths=(path,), revision=commit or "HEAD")
        return open_revision(source, Options(repo=folder, remote=remote))
    address = _from_scp(url) if _is_scp(url) else url
    source = DvcSource(paths=(path,), revision=commit or "HEAD", repository=address)
    try:
        read_repository(address)
    except UsageError as cause:
        raise SourceError(
            f"{path!r} was imported from {without_passwords(url)!r}: only folders and addresses"
            " that begin with https://, ssh:// or file:// are read; run 'dvc fetch'"
        ) from cause
    return open_revision(source, Options(remote=remote))


def _open(
    scm: Any, folder: Path | None, source: DvcSource, options: Options, asked: str | None
) -> Revision:
    bare = folder is None or is_bare(scm)
    top = None if bare else os.path.realpath(scm.root_dir)
    artifact = source.artifact
    if artifact is not None and asked is None:
        commit = find_tag(scm, artifact.name, artifact.version, artifact.stage)
    else:
        commit = find_commit(scm, asked or "HEAD")
    if artifact is not None:
        paths = (
            [posixpath.dirname(artifact.name.partition(":")[0])] if ":" in artifact.name else [""]
        )
    else:
        base = _base(folder, top, is_url=source.repository is not None)
        paths = [_inside(base, each) for each in source.paths]
    subdirs = {find_subdir(scm, commit, _looked_at(each)) for each in paths}
    if len(subdirs) > 1:
        raise SourceError(
            f"the paths lie in {len(subdirs)} repositories of DVC: {', '.join(sorted(subdirs))};"
            " import them one by one"
        )
    (subdir,) = subdirs
    root = posixpath.join(top, subdir) if top and subdir else top
    extra = {"cache": {"dir": os.path.abspath(options.cache_dir)}} if options.cache_dir else {}
    remotes = CloneRemotes(options.remote) if folder is None else None
    repository = open_at(scm, commit, subdir, root, extra, remotes)
    if artifact is not None:
        inner = [repository.artifact_path(artifact.name)]
    else:
        inner = [_relative(each, subdir) for each in paths]
    if root is not None and asked is None and artifact is None:
        _refuse_dirty(root, inner, commit)
    return Revision(repository=repository, paths=tuple(inner), asked=asked, address=None)


def _existing(folder: str) -> Path:
    path = Path(folder)
    if not path.is_dir():
        raise SourceError(f"no repository at {folder!r}: there is no such folder")
    return path


def _base(folder: Path | None, top: str | None, *, is_url: bool) -> str:
    """Return the folder that paths are relative to, itself relative to the git repository."""
    if folder is None or top is None or is_url:
        return ""
    here = os.path.relpath(os.path.realpath(folder), top)
    return "" if here == os.curdir else here


def _inside(base: str, path: str) -> str:
    joined = posixpath.normpath(posixpath.join(base, path))
    if posixpath.isabs(path) or joined == ".." or joined.startswith("../"):
        raise SourceError(
            f"{path!r} lies outside of the repository; name a path inside of it, or the other"
            " repository with '-o repo='"
        )
    return "" if joined == "." else joined


def _looked_at(path: str) -> str:
    """Return the folder to look for `.dvc` from: a stage's is that of its dvc.yaml."""
    match = STAGE.match(path)
    return posixpath.dirname(match["file"]) if match else path


def _relative(path: str, subdir: str) -> str:
    if not subdir:
        return path
    return "" if path == subdir else posixpath.relpath(path, subdir)


def _refuse_dirty(root: str, paths: list[str], commit: str) -> None:
    stages = [_looked_at(each) if STAGE.match(each) else each for each in paths]
    changed = changed_paths(root, stages)
    if changed:
        names = ", ".join(repr(each) for each in changed[:5]) + (" …" if len(changed) > 5 else "")
        raise SourceError(
            f"the workspace differs from its last commit {commit[:12]}: {names};"
            " run 'dvc commit' (or 'dvc add') and 'git commit', or name a revision,"
            " such as '@HEAD'"
        )


def without_user(address: str) -> str:
    """Return an address without user and password."""
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _is_scp(url: str) -> bool:
    head, colon, _ = url.partition(":")
    return bool(colon) and "@" in head and "/" not in head


def _from_scp(url: str) -> str:
    head, _, path = url.partition(":")
    return f"ssh://{head}/{path.lstrip('/')}"
