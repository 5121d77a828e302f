"""Changes: how a workspace differs from its last commit."""

from __future__ import annotations

import os
import posixpath

from kitline_dvc.inside.failures import dvc_errors


def changed_paths(root: str, paths: list[str]) -> list[str]:
    """Return what differs in a workspace from its last commit, at or below `paths`.

    Data that is not checked out at all does not differ.
    """
    from dvc.repo import Repo

    from kitline_dvc.inside.guarded import GuardedWorkspace

    found: set[str] = set()
    unreadable: list[str] = []
    with dvc_errors(f"the workspace {root!r}"), Repo(root, fs=GuardedWorkspace()) as repo:
        repo.stage_collection_error_handler = lambda file, _: unreadable.append(
            posixpath.relpath(os.path.abspath(file), root)
        )
        for each in repo.index.outs:
            path = posixpath.relpath(str(each.fs_path), root)
            if (
                _touch(path, paths)
                and each.use_cache
                and each.hash_info
                and os.path.lexists(each.fs_path)
                and each.changed_checksum()
            ):
                found.add(path)
        top = str(repo.scm.root_dir)
        staged, unstaged, _ = repo.scm.status(untracked_files="no")
        in_git = {name for names in staged.values() for name in names} | set(unstaged)
        declared = {
            posixpath.relpath(each.stage.path, root)
            for each in repo.index.outs
            if _touch(posixpath.relpath(str(each.fs_path), root), paths)
        } | set(unreadable)
    for name in in_git:
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        path = posixpath.relpath(os.path.join(top, text), root)
        lock = posixpath.join(posixpath.dirname(path), "dvc.yaml")
        if (
            _touch(path, paths)
            or path in declared
            or (posixpath.basename(path) == "dvc.lock" and lock in declared)
        ):
            found.add(path)
    return sorted(found)


def workspace_outputs(root: str) -> list[str]:
    """Return the paths that the workspace tracks now, committed or not."""
    from dvc.repo import Repo

    from kitline_dvc.inside.guarded import GuardedWorkspace

    with dvc_errors(f"the workspace {root!r}"), Repo(root, fs=GuardedWorkspace()) as repo:
        repo.stage_collection_error_handler = lambda *_: None
        return [posixpath.relpath(str(each.fs_path), root) for each in repo.index.outs]


def _touch(path: str, others: list[str]) -> bool:
    return any(
        not other or path == other or path.startswith(other + "/") or other.startswith(path + "/")
        for other in others
    )
