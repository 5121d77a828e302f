"""Content: one file of a tracked path, and the one place to read it from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline_dvc.inside.repository import GitFile, Repository
    from kitline_dvc.read_ahead import Fetcher


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """One file: `path` in the kit, and one of `local`, `remote` and `git` to read it from."""

    path: str
    md5: str | None
    size: int
    is_legacy: bool = False
    is_executable: bool = False
    local: str | None = None
    """A file of the cache, or of a remote on this disk."""
    remote: str | None = None
    fetcher: Fetcher | None = None
    is_ranged: bool = False
    """Whether no more than `size` bytes may be asked for, as nobody else vouches for it."""
    git: GitFile | None = None
    repository: Repository | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """The files of a tracked path, with what DVC calls them together."""

    files: tuple[Content, ...]
    md5: str | None
