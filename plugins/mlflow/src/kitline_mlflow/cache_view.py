"""Copies out of the cache: as links that cost nothing, or as files that may be changed.

MLflow writes beside what it downloads (`registered_model_meta`), so it never gets an entry itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from typing import TYPE_CHECKING

from kitline.errors import TargetError

from kitline_mlflow.cache_folder import remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FICLONE = 0x40049409
"""`ioctl_ficlone(2)`: the copy shares its blocks with the original until one of them changes."""
_KEPT_SECONDS = 24 * 3600
_VIEWS: dict[tuple[int, str], tuple[str, int]] = {}
"""This process' folder of views and its lock, by process id and cache."""


def view(cache: Path, source: Path, name: str) -> Path:
    """Return a new folder or file `name` of links to what is in the cache.

    Its files are read-only; new ones may be put beside them. It stays for a day, and for as long
    as this process lives.

    Raises:
        TargetError: if the cache cannot be written.
    """
    try:
        place = tempfile.mkdtemp(dir=_own_views(cache / "views"))
        target = cache.__class__(place) / name
        _place(source, target, _link)
    except OSError as cause:
        raise _cannot_write(cache, cause) from cause
    return target


def copy_out(source: Path, target: Path) -> None:
    """Copy a file or folder of the cache; files of the same names are replaced.

    Raises:
        TargetError: if the target cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(source, target, _copy)
    except OSError as cause:
        raise _cannot_write(target, cause) from cause


def _place(source: Path, target: Path, place: Callable[[Path, Path], None]) -> None:
    if not source.is_dir():
        place(source, target)
        return
    target.mkdir(exist_ok=True)
    for each in source.iterdir():
        if each.name != "__pycache__":
            _place(each, target / each.name, place)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # too many links, or a file system without them
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    """Copy under another name first, so that no half file is ever found under the final one."""
    mode = stat.S_IMODE(source.stat().st_mode) | stat.S_IWUSR
    fd, aside = tempfile.mkstemp(dir=target.parent, prefix=".kitline-")
    try:
        with open(source, "rb") as content, open(fd, "wb") as file:
            try:
                fcntl.ioctl(file.fileno(), _FICLONE, content.fileno())
            except OSError:
                shutil.copyfileobj(content, file, 1 << 20)
        os.chmod(aside, mode)
        os.replace(aside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def _own_views(views: Path) -> str:
    mine = (os.getpid(), str(views))
    if mine not in _VIEWS or not os.path.isdir(_VIEWS[mine][0]):
        views.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(views)
        folder = tempfile.mkdtemp(dir=views)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_SH)
        _VIEWS[mine] = (folder, fd)
    return _VIEWS[mine][0]


def _remove_old(views: Path) -> None:
    """Remove views of dead processes, but not those that somebody may just be looking at."""
    for each in views.iterdir():
        with contextlib.suppress(OSError):
            if each.stat().st_mtime > time.time() - _KEPT_SECONDS:
                continue
            fd = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(each)
            finally:
                os.close(fd)


def _cannot_write(target: Path, cause: OSError) -> TargetError:
    return TargetError(f"cannot write a copy of a kit to {str(target)!r}: {cause.strerror}")
