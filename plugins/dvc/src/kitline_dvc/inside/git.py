"""Git as DVC reads it: repositories, revisions, tags of artifacts; no workspace is touched."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_dvc.inside.failures import reason_of
from kitline_dvc.inside.version import check_version

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def find_commit(scm: Any, revision: str) -> str:
    """Return the commit of a revision: branch, tag, commit, name of an experiment.

    Raises:
        SourceError: if there is none.
    """
    from dvc.scm import RevError, resolve_rev

    try:
        return str(resolve_rev(scm, revision))
    except (RevError, ValueError) as cause:
        raise SourceError(
            f"the repository has no revision {revision!r}; 'git fetch' may bring it,"
            " and a shallow clone has few"
        ) from cause


def open_scm(folder: str | Path) -> Any:
    """Open the git repository that a folder lies in, which may be a bare one.

    Raises:
        SourceError: if there is none.
    """
    from dvc.scm import SCM, SCMError

    check_version()
    try:
        return SCM(str(folder))
    except (SCMError, OSError) as cause:
        raise SourceError(
            f"{str(folder)!r} lies in no git repository, and a revision is a commit of git;"
            " run 'git init' and commit, or pack the folder with 'kitline pack'"
        ) from cause


def is_bare(scm: Any) -> bool:
    """Tell whether a git repository has no workspace."""
    return bool(scm.dulwich.repo.bare)


def find_subdir(scm: Any, commit: str, path: str) -> str:
    """Return where the repository of DVC lies that holds `path`, relative to that of git.

    Raises:
        SourceError: if DVC was not initialised there at that commit.
    """
    from dvc.fs import GitFileSystem

    fs = GitFileSystem(scm=scm, rev=commit)
    folder = path
    while True:
        if fs.isdir(posixpath.join("/", folder, ".dvc")):
            return folder
        if not folder:
            raise SourceError(
                f"commit {commit[:12]} has no '.dvc' folder above {path or '.'!r}:"
                " DVC is not initialised there"
            )
        folder = posixpath.dirname(folder)


def find_tag(scm: Any, name: str, version: str | None, stage: str | None) -> str:
    """Return the commit of an artifact's version or stage, as GTO's tags name it.

    Raises:
        SourceError: if no annotated tag says so.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.artifacts import Artifacts

    class _Repository:
        def __init__(self) -> None:
            self.scm = scm

    try:
        return str(Artifacts(_Repository()).get_rev(name, version=version, stage=stage))
    except (DvcException, ValueError) as cause:
        what = f"version {version!r}" if version else f"stage {stage!r}" if stage else "version"
        known = _known_artifacts(scm)
        missing = (
            f"artifact {name!r} has no {what}"
            if name in known
            else f"no tag of GTO names an artifact {name!r}; there is"
            f" {', '.join(map(repr, known)) or 'none'}"
        )
        raise SourceError(
            f"{missing}; 'gto show' lists what there is"
            " (only annotated tags count, 'gto register' and 'gto assign' make them)"
        ) from cause


def assign_stage(scm: Any, name: str, stage: str, commit: str) -> str:
    """Assign a stage of GTO to a commit of an artifact, unless it has it; return the tag's name.

    Raises:
        SourceError: if GTO refuses, such as the name of a stage.
    """
    from dvc.scm import SCMError
    from gto.constants import Action
    from gto.exceptions import GTOException
    from gto.registry import GitRegistry
    from gto.tag import find, parse_name

    def order(tag: Any) -> tuple[int, int]:
        return tag.tag_time, parse_name(tag.name).get("counter", 0)

    try:
        last = max(find(name=name, stage=stage, scm=scm), key=order, default=None)
        if last and last.target == commit and parse_name(last.name)["action"] is Action.ASSIGN:
            return str(last.name)
        with GitRegistry.from_scm(scm) as registry:
            return str(registry.assign(name, stage, rev=commit, force=True).tag)
    except (GTOException, SCMError, OSError, ValueError) as cause:
        raise SourceError(
            f"GTO cannot assign {stage!r} to artifact {name!r} at {commit[:12]}: {reason_of(cause)}"
        ) from cause


def _known_artifacts(scm: Any) -> list[str]:
    """Return the first artifacts that tags of GTO name."""
    from gto.tag import find, parse_name

    return sorted({str(parse_name(each.name)["name"]) for each in find(scm=scm)})[:20]
