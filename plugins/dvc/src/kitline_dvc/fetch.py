"""Fetch: the files of a kit that only names them, from where they stayed, into a folder.

Steps: 1 read the lists, 2 look what is there, 3 fetch the rest beside, checked, 4 move it in.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
from kitline.errors import SourceError, TargetError, UsageError
from kitline.plugin import ExportContext, LockedFolder, without_passwords

from kitline_dvc.datasets import choose_datasets, kit_datasets
from kitline_dvc.inside.remotes import open_remote_at
from kitline_dvc.inside.workspace import Workspace
from kitline_dvc.listing import is_inside
from kitline_dvc.md5 import md5_of_file
from kitline_dvc.objects import OneRemote, fetch_files, named_files, read_list
from kitline_dvc.provenance import BUILD_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline import LayoutReference, PinnedReference, Settings
    from kitline.plugin import Progress

    from kitline_dvc.by_reference import ReferencedFile
    from kitline_dvc.objects import Places


@dataclass(frozen=True, kw_only=True)
class FetchResult:
    """What is in the folder now; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference | LayoutReference
    folder: Path
    files: int
    fetched: int
    """How many of them were not there before."""
    size: int
    """Bytes that were fetched."""

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.reference.digest),
            "folder": str(self.folder),
            "files": self.files,
            "fetched": self.fetched,
            "size": self.size,
        }


def fetch(
    source: str,
    folder: str | Path,
    *,
    dataset: str | None = None,
    repo: str | Path = ".",
    remote: str | None = None,
    url: str | None = None,
    force: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> FetchResult:
    """Fetch the data that a kit names by md5 into a folder, below the paths that the kit says.

    Files that are there already and are the same are kept. `url` is the address of a remote, for
    use outside of a repository.

    Raises:
        SourceError: if the kit holds its data itself, or a file is nowhere or damaged.
        TargetError: if other files are in the way; nothing was changed then.
    """
    target = Path(folder)
    with kitline.open_kit(source, settings=settings) as kit:
        chosen = [
            each
            for each in (choose_datasets(kit, dataset) if dataset else kit_datasets(kit))
            if each.is_reference
        ]
        if not chosen:
            raise SourceError(
                f"{kit.reference} holds its data itself, none by reference;"
                " 'kitline unpack' unpacks it"
            )
        lists = [read_list(kit, each) for each in chosen]
        reference = kit.reference
    wanted: dict[str, ReferencedFile] = {}
    for each in lists:
        wanted |= named_files(each)
    missing = _missing(target, wanted, force=force)
    size = 0
    if missing:
        with ExitStack() as stack:
            try:
                places = stack.enter_context(_places(repo, remote, url))
            except TargetError as cause:
                raise SourceError(
                    f"cannot fetch the data of {source!r}: {cause}{_hint(reference)}"
                ) from cause
            staging = stack.enter_context(_staging(target))
            context = ExportContext(progress=progress) if progress else None
            size = fetch_files(missing.values(), staging, places, remote=remote, context=context)
            _move_in(staging, target, list(missing))
    return FetchResult(
        reference=reference, folder=target, files=len(wanted), fetched=len(missing), size=size
    )


@contextmanager
def _places(repo: str | Path, remote: str | None, url: str | None) -> Iterator[Places]:
    if url is None:
        with Workspace(repo) as workspace:
            yield workspace
        return
    if remote is not None:
        raise UsageError("--url and --remote name two places; drop one")
    yield OneRemote(remote=open_remote_at(url))


def _missing(
    target: Path, wanted: dict[str, ReferencedFile], *, force: bool
) -> dict[str, ReferencedFile]:
    """Return what has to be fetched.

    Raises:
        TargetError: if other files are in the way and nobody said `force`.
    """
    found = {}
    for path, file in wanted.items():
        place = target / path
        if os.path.realpath(place.parent) != os.path.join(
            os.path.realpath(target), os.path.dirname(path)
        ).rstrip("/"):
            raise TargetError(f"cannot fetch {path!r}: a symbolic link is in the way")
        if not os.path.lexists(place):
            found[path] = file
        elif place.is_symlink() or not place.is_file():
            raise TargetError(f"cannot fetch {path!r}: something that is no file is in the way")
        elif place.stat().st_size != file.size or md5_of_file(place) != file.md5:
            if not force:
                raise TargetError(
                    f"cannot fetch {path!r}: another file is in the way; nothing was changed."
                    " --force replaces it"
                )
            found[path] = file
    return found


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Make a folder beside the target."""
    above = Path(os.path.realpath(target)).parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        stack = ExitStack()
        folder = stack.enter_context(LockedFolder(".kitline-fetch-", above)).path
    except OSError as cause:
        raise TargetError(f"cannot write to {os.fspath(above)!r}: {cause.strerror}") from cause
    with stack:
        yield folder


def _move_in(staging: Path, target: Path, paths: list[str]) -> None:
    os.sync()  # all at once: one call for each of many files would take minutes
    made: set[Path] = set()
    for path in paths:
        assert is_inside(path)
        place = target / path
        if place.parent not in made:
            place.parent.mkdir(parents=True, exist_ok=True)
            made.add(place.parent)
        os.replace(staging / path, place)


def _hint(reference: PinnedReference | LayoutReference) -> str:
    """Say where the data lay when the kit was made; nobody signed that, so it is not followed."""
    for each in kitline.read_statements(reference):
        predicate = each.predicate or {}
        build = predicate.get("buildDefinition") or {}
        if build.get("buildType") != BUILD_TYPE:
            continue
        for dependency in build.get("resolvedDependencies") or []:
            if (dependency.get("annotations") or {}).get("role") == "dvc-remote":
                uri = without_passwords(str(dependency.get("uri")))
                return f"; its provenance says that the data lay at {uri!r}: --url reads from there"
    return "; --url names a remote"
