"""Workspace: what the way back asks of DVC in a checked-out repository.

A workspace is the checked-out side of a DVC repository: paths, `.dvc` files, stages. Git is never
called to commit; with `core.autostage` DVC itself stages the files that it writes, as it always
does.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError, TargetError

from kitline_dvc.inside.failures import reason_of
from kitline_dvc.inside.legacy import LEGACY
from kitline_dvc.inside.remotes import open_remote
from kitline_dvc.inside.version import check_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitline_dvc.inside.remotes import Remote


@dataclass(frozen=True, kw_only=True)
class Hashed:
    """A file or folder as DVC names it."""

    md5: str
    """With `.dir` at the end for a folder."""
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The md5 of each file of a folder by its path in there; empty for a file."""


@dataclass(frozen=True, kw_only=True)
class TrackedOut:
    """A path that DVC tracks."""

    path: str
    """Relative to the repository, with `/`."""
    md5: str | None
    """What the `.dvc` file or `dvc.lock` says; None if there is none yet."""
    file: Path
    """The `.dvc` file or `dvc.yaml` that names it."""
    stage: str
    """The name of the stage, empty for a `.dvc` file."""
    is_import: bool
    meta: Any
    """What the free field `meta` of the `.dvc` file or stage holds; anybody may write it."""
    params: Mapping[str, tuple[Any, Any]]
    """For each parameter of the stage, its value in `dvc.lock` and the one now."""
    _out: Any = field(repr=False, compare=False)

    def find_change(self) -> str | None:
        """Tell how the workspace differs: `deleted`, `modified`, `new`, or None."""
        with quiet(), translated(f"look at {self.path!r}"):
            return next(iter(self._out.workspace_status().values()), None)


class Workspace:
    """An open DVC repository; a context manager."""

    def __init__(self, folder: str | os.PathLike[str] = ".") -> None:
        self._folder = os.fspath(folder)

    def __enter__(self) -> Workspace:
        from dvc.exceptions import NotDvcRepoError
        from dvc.repo import Repo

        from kitline_dvc.inside.guarded import GuardedWorkspace

        check_version()
        try:
            root = Repo.find_root(self._folder)
            with quiet():
                self._repo = Repo(root, fs=GuardedWorkspace())
        except NotDvcRepoError as cause:
            raise TargetError(
                f"no DVC repository holds the folder {self._folder!r}; run 'dvc init' there,"
                " or name another one"
            ) from cause
        self.root = Path(os.path.realpath(root))
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    @property
    def temporary(self) -> Path:
        """A folder of the repository that neither git nor DVC looks at."""
        folder = Path(self._repo.tmp_dir or self.root / ".dvc" / "tmp")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def has_git(self) -> bool:
        """Whether the repository lies in git."""
        from dvc.scm import NoSCM

        return not isinstance(self._repo.scm, NoSCM)

    def cache_folder(self, hash_name: str) -> str | None:
        """Return the folder of the cache."""
        cache = self._repo.cache
        return str((cache.legacy if hash_name == LEGACY else cache.local).path)

    def find_remote(self, name: str | None) -> Remote | None:
        """Return a remote, the default one without name; None if there is no default."""
        return open_remote(self._repo.config, name)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other DVC commands out, as each of them does."""
        from dvc.repo import lock_repo

        with translated("lock the repository"), lock_repo(self._repo):
            yield

    def is_own(self, path: Path) -> bool:
        """Tell whether a path belongs to this repository and not to one inside of it."""
        from dvc.repo import Repo

        folder = path.parent
        while not folder.is_dir():
            folder = folder.parent
        return bool(os.path.realpath(Repo.find_root(os.fspath(folder))) == os.fspath(self.root))

    def hash(self, path: Path, *, ignored: bool = False) -> Hashed:
        """Hash a file or folder as `dvc add` would; with `ignored` also what DVC ignores."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.tree import Tree

        repo = self._repo
        with quiet(), translated(f"hash {os.fspath(path)!r}"):
            _, _, found = build(
                repo.cache.local,
                os.fspath(path),
                repo.fs,
                repo.cache.local.hash_name,
                ignore=None if ignored else repo.dvcignore,
                dry_run=True,
            )
        files: dict[str, str] = {}
        if isinstance(found, Tree):
            files = {"/".join(key): info.value for key, _, info in found}
        return Hashed(md5=str(found.hash_info.value), files=files)

    def outs(self) -> list[TrackedOut]:
        """Return everything that `.dvc` files and stages of the workspace track.

        Raises:
            SourceError: if one of those files cannot be read.
        """
        with quiet(), translated("read the .dvc files and stages", SourceError):
            found = [self._tracked(out) for out in self._repo.index.outs]
        return sorted(found, key=lambda each: each.path)

    def find_out(self, path: Path) -> TrackedOut | None:
        """Return what DVC tracks under exactly this path."""
        wanted = os.fspath(path.relative_to(self.root)).replace(os.sep, "/")
        return next((each for each in self.outs() if each.path == wanted), None)

    def add(self, notes: Mapping[Path, Mapping[str, Any]], key: str) -> dict[Path, str]:
        """`dvc add` paths and write a note under `meta.<key>` of each `.dvc` file.

        Returns the md5 of each, which its note gets as `dvc_md5`. Everything else that stands in
        the `.dvc` file of such a path stays, comments too. Git's index is left alone until all went
        well, and then gets what `core.autostage` wants there.
        """
        paths = list(notes)
        context = self._repo.scm_context
        autostage, context.autostage = context.autostage, False
        found = {}
        try:
            with quiet(), translated(f"add {', '.join(repr(os.fspath(each)) for each in paths)}"):
                stages = self._repo.add([os.fspath(each) for each in paths])
                for path, stage in zip(paths, stages, strict=True):
                    found[path] = str(stage.outs[0].hash_info.value)
                    kept = stage.meta if isinstance(stage.meta, dict) else {}
                    stage.meta = {**kept, key: {**notes[path], "dvc_md5": found[path]}}
                    stage.dump()
        finally:
            context.autostage = autostage
            context.files_to_track = set()
        if autostage:
            written = [f"{each}.dvc" for each in paths]
            written += {os.fspath(each.parent / ".gitignore") for each in paths}
            with quiet(), translated("add its files to git's index"):
                context.add([each for each in written if os.path.exists(each)])
        return found

    def check_stages(self) -> None:
        """Read all stages anew and check that they fit together.

        Raises:
            TargetError: with DVC's own words.
        """
        with quiet(), translated("add the stage"):
            self._repo._reset()
            self._repo.index.check_graph()
            list(self._repo.index.outs)

    def _tracked(self, out: Any) -> TrackedOut:
        stage = out.stage
        return TrackedOut(
            path=os.path.relpath(out.fs_path, self._repo.root_dir).replace(os.sep, "/"),
            md5=out.hash_info.value if out.hash_info else None,
            file=Path(stage.path),
            stage=getattr(stage, "name", None) or "",
            is_import=bool(stage.is_import),
            meta=stage.meta,
            params=_params(stage),
            _out=out,
        )


def _params(stage: Any) -> dict[str, tuple[Any, Any]]:
    """Return the locked and the present value of each parameter that a stage depends on."""
    from dvc.dependency.param import ParamsDependency

    found: dict[str, tuple[Any, Any]] = {}
    for each in stage.deps:
        if isinstance(each, ParamsDependency):
            locked = each.hash_info.value if each.hash_info else None
            locked = locked if isinstance(locked, dict) else {}
            now = each.read_params() if each.exists else {}
            for name in each.params:
                found[name] = (locked.get(name), now.get(name))
    return found


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep DVC's hints from stdout, where kitline prints nothing but its result."""
    log = logging.getLogger("dvc")  # its handler for hints keeps the stdout of its own start
    level = log.level
    log.setLevel(max(level, logging.WARNING))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def translated(what: str, kind: type[Exception] = TargetError) -> Iterator[None]:
    """Turn what DVC raises into an error that says what was attempted."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as cause:
        said = reason_of(cause)
        raise kind(f"DVC could not {what}: {said[:1].lower()}{said[1:]}") from cause
