"""DVC repositories made in this process; one template per session, copied for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.testing.fixtures import distribution_3, local_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kitline.kit.pack import Packed
    from kitline.plugin import Collected

__all__ = ["distribution_3", "local_registry"]

# before DVC is imported for the first time
os.environ.update(
    DVC_NO_ANALYTICS="1",
    GIT_CONFIG_GLOBAL=os.devnull,
    GIT_CONFIG_SYSTEM=os.devnull,
    GIT_AUTHOR_NAME="t",
    GIT_AUTHOR_EMAIL="t@example.org",
    GIT_COMMITTER_NAME="t",
    GIT_COMMITTER_EMAIL="t@example.org",
)

NOISE = (
    # DVC leaves its sqlite caches to the garbage collector
    "ignore:unclosed database:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    # DVC asks pygtrie in a way that pygtrie means to drop
    "ignore:_NoneStep.value:DeprecationWarning",
)

TRAIN: Mapping[str, bytes] = {
    "a.csv": b"x,y\n1,2\n",
    "b/deep.csv": b"x,y\r\n3,4\r\n",
    "b/empty": b"",
    "c.bin": bytes(range(256)) * 20,
}
SINGLE = b"label\n0\n1\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for each in NOISE:
                item.add_marker(pytest.mark.filterwarnings(each))


@pytest.fixture(autouse=True)
def _own_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test its own DVC index: a warm one hides what is missing."""
    for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(f"DVC_{name}", str(tmp_path / "dvc-site" / name))
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "kitline-home"))
    # a folder outside of every repository: tests say where they stand
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    yield
    from dvc.repo.open_repo import clean_repos

    clean_repos()


@dataclass(frozen=True, kw_only=True)
class DvcRepository:
    """A git repository with DVC in it, and its remote folder."""

    root: Path
    remote: Path
    train: Mapping[str, bytes] = field(default_factory=lambda: TRAIN)
    """What `data/train` holds in the template."""
    single: bytes = SINGLE
    """What `data/labels.csv` holds at v1."""

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git; return what it says."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, files: Mapping[str, bytes] | bytes) -> None:
        """Write a file, or a folder of files."""
        if isinstance(files, bytes):
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(files)
            return
        for name, content in files.items():
            self.write(f"{path}/{name}", content)

    def add(self, *paths: str) -> None:
        """`dvc add`."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            repo.add([str(self.root / path) for path in paths])

    def commit(self, message: str, tag: str | None = None) -> str:
        """Commit everything; return the commit."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def push(self, *, all_commits: bool = True) -> None:
        """`dvc push --all-commits`, or only what the workspace has."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            repo.push(all_commits=all_commits)

    def configure(self, section: str, values: Mapping[str, object]) -> None:
        """Change `.dvc/config`."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo, repo.config.edit() as config:
            config[section].update(values)

    def drop_cache(self) -> None:
        """Remove every cached object."""
        cache = self.root / ".dvc/cache"
        if cache.exists():
            for folder, _, _ in os.walk(cache):
                Path(folder).chmod(0o755)
            shutil.rmtree(cache)

    def cached(self, md5: str) -> Path:
        """Return where the cache holds an object."""
        return self.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]

    @property
    def url(self) -> str:
        """The repository as `dvc+file` sources name it."""
        return f"dvc+file://{self.root}"


def make_repository(folder: Path, *, subdir: str = "") -> DvcRepository:
    """Make an empty repository with a remote beside it; nothing is committed yet."""
    from dvc.repo import Repo

    root, remote = folder / "repo", folder / "remote"
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    (root / subdir).mkdir(parents=True, exist_ok=True)
    with Repo.init(str(root / subdir), subdir=bool(subdir)) as repo, repo.config.edit() as config:
        config["core"].update(analytics="false", check_update="false", autostage="true", remote="r")
        config["remote"] = {"r": {"url": str(remote)}}
    return DvcRepository(root=root / subdir, remote=remote)


@pytest.fixture(scope="session", name="template")
def _template(tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    """Make the template once: the first repository in a process costs seconds."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR"):
            patch.setenv(f"DVC_{name}", str(folder / "site" / name))
        made = make_repository(folder)
        made.write("data/train", TRAIN)
        made.write("data/labels.csv", SINGLE)
        made.write("notes/read.me", b"kept by git\n")
        made.add("data/train", "data/labels.csv")
        made.commit("one", "v1")
        made.write("data/labels.csv", SINGLE + b"1\n")
        made.add("data/labels.csv")
        made.commit("two", "v2")
        made.push()
    return made


@pytest.fixture(name="repository")
def _repository(template: DvcRepository, tmp_path: Path) -> DvcRepository:
    """Return a copy of the template with a remote of its own."""
    shutil.copytree(template.root.parent, tmp_path / "copy", symlinks=True)
    made = DvcRepository(root=tmp_path / "copy/repo", remote=tmp_path / "copy/remote")
    shutil.rmtree(made.root / ".dvc/tmp", ignore_errors=True)
    # beside the committed configuration, so that commits stay those of the template
    (made.root / ".dvc/config.local").write_text(f"['remote \"r\"']\n    url = {made.remote}\n")
    return made


@pytest.fixture(scope="session", name="borrowing")
def _borrowing(template: DvcRepository, tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    """Make a repository that imports a folder, a file and a git file of the template, once."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("borrowing")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR"):
            patch.setenv(f"DVC_{name}", str(folder / "site" / name))
        made = make_repository(folder)
        with Repo(str(made.root)) as repo:
            wanted = (("data/train", "train"), ("data/labels.csv", "l.csv"), ("notes", "n"))
            for path, out in wanted:
                repo.imp(str(template.root), path, out=str(made.root / out), rev="v1")
    made.commit("imports")
    return made


@pytest.fixture(name="borrower")
def _borrower(
    repository: DvcRepository, template: DvcRepository, borrowing: DvcRepository, tmp_path: Path
) -> DvcRepository:
    """Return a repository that imports a folder, a file and a git file of `repository`."""
    root = tmp_path / "borrower/repo"
    shutil.copytree(borrowing.root, root, symlinks=True)
    for each in root.glob("[!.]*.dvc"):
        each.write_text(each.read_text().replace(str(template.root), str(repository.root)))
    made = DvcRepository(root=root, remote=borrowing.remote)
    made.commit("imports", "v1")
    return made


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    """An empty repository; DVC takes a third of a second to make one."""
    made = make_repository(tmp_path_factory.mktemp("blank"))
    made.commit("made")
    return made


@pytest.fixture
def new_repository(blank: DvcRepository, tmp_path: Path) -> Callable[..., DvcRepository]:
    """Make an empty repository below a folder of that name."""

    def make(name: str = "empty", *, subdir: str = "") -> DvcRepository:
        if subdir:
            return make_repository(tmp_path / name, subdir=subdir)
        root, remote = tmp_path / name / "repo", tmp_path / name / "remote"
        shutil.copytree(blank.root, root, symlinks=True)
        # beside the committed configuration, which names the remote of the template
        (root / ".dvc/config.local").write_text(f"['remote \"r\"']\n    url = {remote}\n")
        return DvcRepository(root=root, remote=remote)

    return make


class Importing:
    """Collects and packs, as `kitline import SOURCE -o …` does, into memory."""

    def collect(self, source: str, **options: str) -> Collected:
        """Collect; write `_` for the `-` of an option."""
        from kitline.plugin import ImportContext
        from kitline_dvc.importer import collect

        given = {key.replace("_", "-"): value for key, value in options.items()}
        return collect(source, given, ImportContext())

    def pack(self, source: str, **options: str) -> Packed:
        """Collect and pack."""
        from kitline.kit.pack import PackOptions, pack
        from kitline.store.memory import MemoryStore

        found = self.collect(source, **options)
        return pack(
            found.tree,
            MemoryStore(),
            options=PackOptions(annotations=found.manifest_annotations(), created=found.created),
        )

    def digest(self, source: str, **options: str) -> str:
        """Return the digest of the kit."""
        return str(self.pack(source, **options).manifest.digest)

    def layer(self, source: str, **options: str) -> str:
        """Return the digest of the kit's only layer."""
        (layer,) = self.pack(source, **options).layers
        return str(layer.descriptor.digest)

    def read(self, source: str, **options: str) -> dict[str, bytes]:
        """Return the files of the kit."""
        from kitline.store.pipeline import read_all

        result = {}
        for entry in self.collect(source, **options).tree.entries():
            if not entry.is_folder:
                assert entry.open is not None
                assert entry.size is not None
                with entry.open(0) as stream:
                    result[entry.path] = read_all(stream, entry.size)
        return result


@pytest.fixture(name="importing")
def _importing() -> Importing:
    return Importing()


@pytest.fixture(name="make")
def _make(tmp_path: Path) -> Callable[..., DvcRepository]:
    """Make empty repositories: `make("name", subdir="")`."""

    def make(name: str, subdir: str = "") -> DvcRepository:
        return make_repository(tmp_path / name, subdir=subdir)

    return make
