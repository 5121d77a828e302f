"""What kitline asks of DVC's inside: the only module that knows more of DVC than its documentation.

Everything is read at a git revision, from git's objects; no file of a workspace is touched but for
telling whether it differs. Checked against DVC 3.67.1; `check_version` refuses what is not 3.60
to 3.x.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import PluginError, SourceError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

OLDEST, BEFORE = (3, 60), (4, 0)
LEGACY = "md5-dos2unix"
"""How DVC 2 named files: line ends of text were changed before hashing."""


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


@dataclass(frozen=True, kw_only=True)
class GitFile:
    """A file that git keeps, relative to the repository of DVC."""

    path: str
    size: int
    is_executable: bool
    is_link: bool
    digest: str
    """Git's name for the content."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote: DVC's file system and the folder in it."""

    name: str
    fs: Any
    root: str
    is_versioned: bool

    @property
    def url(self) -> str:
        """Its address, without password."""
        return without_passwords(str(self.fs.unstrip_protocol(self.root)))

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return bool(self.fs.protocol == "local")

    def folder(self, hash_name: str) -> str:
        """Return the folder that holds objects by md5."""
        if hash_name == LEGACY:
            return self.root
        return posixpath.join(self.root, "files", "md5")

    def versioned_path(self, path: str, version: str | None) -> str:
        """Return the address of one version of a file."""
        joined = posixpath.join(self.root, path)
        return str(self.fs.version_path(joined, version)) if version else joined


def check_version() -> None:
    """Refuse a DVC whose inside nobody has looked at.

    Raises:
        PluginError: saying which version is there and which is wanted.
    """
    from dvc import __version__ as found

    parts = tuple(int(each) if each.isdigit() else 0 for each in found.split(".")[:2])
    if not OLDEST <= parts < BEFORE:
        raise PluginError(
            f"kitline-dvc reads the inside of DVC 3.60 to 3.x, and found {found};"
            " install 'dvc>=3.60,<4'"
        )


@contextlib.contextmanager
def dvc_errors(what: str) -> Iterator[None]:
    """Turn the errors of DVC, git and file systems into a SourceError about `what`."""
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    try:
        yield
    except (DvcException, SCMError, OSError, ValueError, KeyError) as cause:
        text = without_passwords(" ".join(str(cause).split())) or type(cause).__name__
        raise SourceError(f"cannot read {what}: {text}") from cause


class Repository:
    """A DVC repository at one commit of git.

    `open_at` and `clone` make them. `root` is the folder on this disk, None for a clone.
    """

    def __init__(
        self, scm: Any, commit: str, subdir: str, config: Mapping[str, Any], root: str | None
    ) -> None:
        from dvc.fs import GitFileSystem
        from dvc.repo import Repo

        self.commit = commit
        self.subdir = subdir
        """Where the repository of DVC lies in that of git; empty for the top."""
        self.root = root
        self._scm = scm
        self._fs = GitFileSystem(scm=scm, rev=commit)
        top = posixpath.join("/", subdir)
        self._repo = Repo(top, fs=self._fs, scm=scm, config=dict(config) or None)
        self._has_cache = self._repo.cache.local is not None
        if not self._has_cache:
            # DVC wants its folder as soon as a .dvc file tells of an import; nothing can lie there
            cache = {**config.get("cache", {}), "dir": os.devnull}
            self._repo = Repo(top, fs=self._fs, scm=scm, config={**config, "cache": cache})
        self._clone: str | None = None
        self._read: dict[str, bytes] = {}

    @property
    def address(self) -> str | None:
        """Where git says that the repository comes from; without password."""
        try:
            found = self._scm.dulwich.repo.get_config().get((b"remote", b"origin"), b"url")
        except KeyError:
            return None
        return without_passwords(found.decode("utf-8", "replace"))

    def outputs(self) -> list[Output]:
        """Return all outputs of the revision."""
        with dvc_errors(f"the outputs of commit {self.commit[:12]}"):
            return [_output(each, self._repo.root_dir) for each in self._repo.index.outs]

    def cache_folder(self, hash_name: str) -> str | None:
        """Return the folder of the cache; None if the repository has none here."""
        if not self._has_cache:
            return None
        cache = self._repo.cache
        return str((cache.legacy if hash_name == LEGACY else cache.local).path)

    def find_remote(self, name: str | None) -> Remote | None:
        """Return a remote, the default one without name; None if there is no default.

        Raises:
            SourceError: if the configuration has no such remote.
        """
        return open_remote(self._repo.config, name)

    def git_files(self, path: str) -> list[GitFile]:
        """Return the files that git keeps at or below a path; none if there is no such path."""
        top = posixpath.join(self._repo.root_dir, path) if path else self._repo.root_dir
        if not self._fs.exists(top):
            return []
        with dvc_errors(f"{path!r} at commit {self.commit[:12]}"):
            if self._fs.isfile(top):
                return [self._git_file(top)]
            return [self._git_file(each) for each in self._fs.find(top)]

    def read_git(self, path: str) -> bytes:
        """Read a file that git keeps; small ones only, for it is read whole."""
        if path in self._read:
            return self._read[path]
        with dvc_errors(f"{path!r} at commit {self.commit[:12]}"):
            found: bytes = self._fs.fs.cat_file(posixpath.join(self._repo.root_dir, path))
        if self._clone is not None:  # which is gone when the file is packed
            self._read[path] = found
        return found

    def has_git_file(self, path: str) -> bool:
        """Tell whether git keeps a file of that path."""
        return bool(self._fs.isfile(posixpath.join(self._repo.root_dir, path)))

    def fill_cache(self, paths: list[str]) -> None:
        """Fetch what the cache lacks of these paths, as `dvc fetch` does."""
        from dvc.exceptions import NoOutputOrStageError

        targets = [posixpath.join(self._repo.root_dir, each) for each in paths]
        with dvc_errors(f"what 'dvc fetch' gets for {', '.join(paths)}"):
            try:
                self._repo.fetch(targets=targets)
            except NoOutputOrStageError:  # a folder above several outputs
                self._repo.fetch(targets=targets, recursive=True)

    def stage_parameters(self, file: str, stage: str) -> dict[str, Any]:
        """Return the params of a stage as its lock file has them, by file and key."""
        with dvc_errors(f"stage {file}:{stage}"):
            found = self._repo.stage.load_one(posixpath.join(self._repo.root_dir, file), stage)
            return {
                posixpath.relpath(str(each.fs_path), self._repo.root_dir): dict(
                    each.hash_info.value or {}
                )
                for each in found.params
            }

    def all_parameters(self) -> dict[str, Any]:
        """Return the params of the whole repository, by file."""
        return _shown(self._repo.params.show(), self._repo.root_dir)

    def all_metrics(self) -> dict[str, Any]:
        """Return the metrics of the whole repository, by file."""
        return _shown(self._repo.metrics.show(), self._repo.root_dir)

    def artifact_kinds(self) -> dict[str, str]:
        """Return the types of what stands under `artifacts:`, by path."""
        with dvc_errors("the artifacts of dvc.yaml"):
            found = self._repo.artifacts.read()
        return {
            posixpath.normpath(posixpath.join(posixpath.dirname(file), each.path)): each.type or ""
            for file, artifacts in found.items()
            for each in artifacts.values()
        }

    def artifact_path(self, name: str) -> str:
        """Return the path of an artifact, relative to the repository of DVC."""
        with dvc_errors(f"artifact {name!r}"):
            path = self._repo.artifacts.get_path(name)
        return posixpath.relpath(path, self.subdir) if self.subdir else str(path)

    def owns(self, clone: str | None) -> None:
        """Take over the folder of a clone, which goes when the repository is closed."""
        self._clone = clone

    @property
    def is_clone(self) -> bool:
        """Whether it goes away when it is closed."""
        return self._clone is not None

    def close(self) -> None:
        """Remove the clone, if it is one; what has been read of it stays."""
        if self._clone is not None:
            self._scm.close()
            shutil.rmtree(self._clone, ignore_errors=True)

    def _git_file(self, path: str) -> GitFile:
        found = self._fs.fs.info(path)
        mode = int(found.get("mode") or 0)
        return GitFile(
            path=posixpath.relpath(path, self._repo.root_dir),
            size=int(found["size"]),
            is_executable=bool(mode & 0o111),
            is_link=mode & 0o170000 == 0o120000,
            digest=str(found.get("sha", "")),
        )


def open_remote(config: Any, name: str | None) -> Remote | None:
    """Return a remote of a configuration, the default one without name; None without default.

    Raises:
        SourceError: if the configuration has no such remote.
    """
    name = name or config["core"].get("remote")
    return _open_remote(config, name, {"name": name}) if name else None


def open_remote_at(url: str) -> Remote:
    """Return the remote at an address, for whoever has no repository that names it.

    Raises:
        SourceError: if DVC knows no such kind of remote.
    """
    return _open_remote({}, without_passwords(url), {"url": url})


def _open_remote(config: Any, name: str, which: Mapping[str, str]) -> Remote:
    from dvc.fs import get_cloud_fs

    with dvc_errors(f"remote {name!r}"):
        make, found, root = get_cloud_fs(config, **which)
        is_versioned = bool(found.get("version_aware") or found.get("worktree"))
        if is_versioned:
            found["version_aware"] = True
        fs = make(**found)
        if fs.protocol == "s3":  # botocore's ten connections would be the limit
            fs.fs_args.setdefault("config_kwargs", {})["max_pool_connections"] = 64
    _refuse_oci(root)
    return Remote(name=name, fs=fs, root=str(root), is_versioned=is_versioned)


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


def open_scm(folder: Path) -> Any:
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


def workspace_config(root: str) -> dict[str, Any]:
    """Return remotes and cache as the workspace has them now, with absolute paths.

    An old commit names them as they were then, and relative to itself.
    """
    from dvc.config import Config

    folder = os.path.join(root, ".dvc")
    if not os.path.isdir(folder):
        return {}
    with dvc_errors(f"the configuration in {folder!r}"):
        found = Config(folder)
    return {
        key: value for key in ("core", "remote", "cache") if (value := dict(found.get(key) or {}))
    }


def open_at(
    scm: Any, commit: str, subdir: str, root: str | None, extra: Mapping[str, Any]
) -> Repository:
    """Open a repository at a commit; `extra` is configuration that counts before all other."""
    config = workspace_config(root) if root else {}
    for section, values in extra.items():
        config[section] = {**config.get(section, {}), **values}
    with dvc_errors(f"commit {commit[:12]}"):
        return Repository(scm, commit, subdir, config, root)


def clone(url: str, revision: str | None) -> tuple[Any, str]:
    """Clone a git repository, without workspace, into a new folder: the second value.

    Raises:
        SourceError: if that fails.
    """
    from scmrepo.exceptions import SCMError
    from scmrepo.git import Git

    check_version()
    folder = tempfile.mkdtemp(prefix="kitline-dvc-")
    git: Any = Git
    attempts: list[dict[str, str]] = [{}]
    if revision is not None and not git.is_sha(revision):
        attempts.insert(0, {"shallow_branch": revision})  # a branch or a tag, perhaps
    causes: list[Exception] = []
    for options in attempts:
        target = tempfile.mkdtemp(dir=folder)
        try:
            return git.clone(url, target, bare=True, **options), folder
        except (SCMError, OSError, ValueError) as error:
            causes.append(error)
        except BaseException:  # such as an interrupt
            shutil.rmtree(folder, ignore_errors=True)
            raise
    shutil.rmtree(folder, ignore_errors=True)
    raise SourceError(
        f"cannot clone {without_passwords(url)!r}: {without_passwords(str(causes[-1]))}"
    ) from causes[-1]


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
        raise SourceError(
            f"artifact {name!r} has no {what}; 'gto show' lists what there is"
            " (only annotated tags count, 'gto register' and 'gto assign' make them)"
        ) from cause


def changed_paths(root: str, paths: list[str]) -> list[str]:
    """Return what differs in a workspace from its last commit, at or below `paths`.

    Data that is not checked out at all does not differ.
    """
    from dvc.repo import Repo

    found: set[str] = set()
    with dvc_errors(f"the workspace {root!r}"), Repo(root) as repo:
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
        }
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

    with dvc_errors(f"the workspace {root!r}"), Repo(root) as repo:
        return [posixpath.relpath(str(each.fs_path), root) for each in repo.index.outs]


def is_text(block: bytes) -> bool:
    """Tell whether DVC 2 took a file for text, by its first 512 bytes."""
    from dvc_data.hashfile.istextfile import istextblock

    return bool(istextblock(block))


def _touch(path: str, others: list[str]) -> bool:
    return any(
        not other or path == other or path.startswith(other + "/") or other.startswith(path + "/")
        for other in others
    )


def _output(out: Any, root: str) -> Output:
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


def _shown(found: Mapping[str, Any], root: str) -> dict[str, Any]:
    values = (found.get("") or {}).get("data") or {}
    return {
        posixpath.relpath(name, root) if name.startswith("/") else name: each["data"]
        for name, each in values.items()
        if "data" in each
    }


def _refuse_oci(root: str) -> None:
    if "oci:" in str(root).split("/"):
        raise SourceError(
            f"the remote {str(root)!r} is a local folder named 'oci:': DVC knows no OCI remotes"
        )
