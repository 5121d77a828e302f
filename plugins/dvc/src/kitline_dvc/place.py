"""Place: where an export may go in a repository, and how everything is put back if it fails.

Both the path that a user gives and the path that a kit claims end here: neither leaves the
repository, nor reaches what git and DVC keep for themselves.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kitline.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitline_dvc.inside.workspace import Workspace

_RESERVED = {".git", ".dvc", ".gitignore", ".dvcignore", "dvc.yaml", "dvc.lock"}


def resolve_place(workspace: Workspace, folder: Path, path: str) -> Path:
    """Return the absolute path of `path`, relative to `folder`, if data may go there.

    Raises:
        TargetError: if it leads out of the repository, into what git or DVC keep, or through a
            symbolic link.
    """
    named = PurePosixPath(path)
    if named.is_absolute() or ".." in named.parts or not named.parts or not path.isprintable():
        raise TargetError(f"cannot put data at {path!r}: a path has to be relative, without '..'")
    base = Path(os.path.realpath(folder))
    place = base.joinpath(*named.parts)
    try:
        inner = place.relative_to(workspace.root)
    except ValueError:
        raise TargetError(f"cannot put data at {path!r}: it is outside of the repository") from None
    reserved = [each for each in inner.parts if each.lower() in _RESERVED]
    if reserved or inner.name.lower().endswith(".dvc"):
        raise TargetError(
            f"cannot put data at {path!r}: git or DVC keep {(reserved or [inner.name])[0]!r}"
        )
    if os.path.realpath(place) != os.fspath(place):
        raise TargetError(f"cannot put data at {path!r}: a symbolic link is in the way")
    if not workspace.is_own(place):
        raise TargetError(
            f"cannot put data at {path!r}: another DVC repository lies there;"
            " name it with repo=FOLDER"
        )
    return place


def require_apart(places: list[Path]) -> None:
    """Refuse two places of which one holds the other: DVC tracks each file once.

    Raises:
        TargetError: naming both.
    """
    for one in places:
        for other in places:
            if one is not other and other.is_relative_to(one):
                raise TargetError(
                    f"cannot put data at both {os.fspath(one)!r} and {os.fspath(other)!r}:"
                    " DVC tracks no path twice; export one dataset at a time, with path=PATH"
                )


class Undo:
    """Steps that take back what was done, run when the block fails."""

    def __init__(self, trash: Path) -> None:
        self._trash = trash
        self._steps: list[Callable[[], object]] = []

    def keep_file(self, path: Path) -> None:
        """Remember a small file as it is now, or that it is missing."""
        content = path.read_bytes() if path.exists() else None
        if content is None:
            self._steps.append(lambda: path.unlink(missing_ok=True))
        else:
            self._steps.append(lambda: path.write_bytes(content))

    def make_folders(self, path: Path) -> None:
        """Make the folders above a path."""
        for folder in reversed(path.parents):
            if not folder.exists():
                folder.mkdir()
                self._steps.append(folder.rmdir)

    def replace(self, source: Path, place: Path) -> None:
        """Move `source` to `place`; what was there goes to the trash."""
        if os.path.lexists(place):
            old = Path(tempfile.mkdtemp(dir=self._trash)) / "old"
            os.rename(place, old)
            self._steps.append(lambda: os.rename(old, place))
        os.rename(source, place)
        self._steps.append(lambda: os.rename(place, self._trash / f"undone-{id(place)}"))

    def run(self) -> None:
        """Take everything back, last things first."""
        while self._steps:
            with suppress(OSError):  # the error that led here says more
                self._steps.pop()()


@contextmanager
def undoing(trash: Path) -> Iterator[Undo]:
    """Take back what the block did if it raises."""
    undo = Undo(trash)
    try:
        yield undo
    except BaseException:
        undo.run()
        raise


def staging_above(workspace: Workspace, places: list[Path]) -> Path:
    """Return where to unpack first: where nobody looks, or else where a rename can begin."""
    hidden = workspace.temporary
    for place in places:
        nearest = next(each for each in place.parents if each.is_dir())
        if nearest.stat().st_dev != hidden.stat().st_dev:
            return nearest
    return hidden
