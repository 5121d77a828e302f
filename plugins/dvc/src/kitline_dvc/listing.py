"""Listings: DVC's `.dir` objects, which name the files of a folder by path and md5.

They come from a cache or a remote, so names are checked before anything is made of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

from kitline_dvc.md5 import MD5, md5_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 1 << 30
"""A listing of more bytes is refused; ten million files take about that."""


def check_size(size: int, what: str) -> None:
    """Refuse to read a listing of that many bytes.

    Raises:
        SourceError: if no folder has so many files.
    """
    if size > LIMIT:
        raise SourceError(f"the listing of {what} has {size} bytes, more than {LIMIT}; it is none")


def read_listing(raw: bytes, name: str, what: str) -> list[tuple[str, str]]:
    """Return (path, md5) of the files that a `.dir` object lists.

    Raises:
        SourceError: if its md5 is not its name, or a path leaves the folder.
    """
    if f"{md5_of(raw)}.dir" != name:
        raise SourceError(
            f"the listing of {what} is damaged: it has md5 {md5_of(raw)}, not {name};"
            " remove it from the cache and run 'dvc fetch'"
        )
    try:
        rows = [(row["relpath"], row["md5"]) for row in json.loads(raw)]
    except (ValueError, TypeError, KeyError) as cause:
        raise SourceError(f"the listing of {what} is no list of DVC: {cause}") from cause
    return check_names(rows, what)


def write_listing(rows: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes that DVC would list the files with; their md5 names the folder."""
    ordered = sorted(rows, key=lambda row: row[0].split("/"))
    return json.dumps(
        [{"md5": md5, "relpath": path} for path, md5 in ordered], sort_keys=True
    ).encode()


def listing_md5(rows: Iterable[tuple[str, str]]) -> str:
    """Return the name of a folder of these files."""
    return f"{md5_of(write_listing(rows))}.dir"


def check_names(rows: list[tuple[Any, Any]], what: str) -> list[tuple[str, str]]:
    """Refuse what is no relative path or no md5.

    Raises:
        SourceError: naming the first of them.
    """
    matches = MD5.match
    seen: set[str] = set()
    for path, md5 in rows:
        if not isinstance(path, str) or not is_inside(path):
            raise SourceError(f"{what} lists {path!r}, which is no path inside of it")
        if not isinstance(md5, str) or not matches(md5):
            raise SourceError(f"{what} lists {path!r} with {md5!r}, which is no md5")
        if path in seen:
            raise SourceError(f"{what} lists {path!r} twice")
        seen.add(path)
    return rows


def is_inside(path: str) -> bool:
    """Tell whether a path is relative, clean and stays inside."""
    if not path or "\0" in path or "\\" in path:
        return False
    if "." not in path and "//" not in path and path[0] != "/" and path[-1] != "/":
        return True
    return not any(part in ("", ".", "..") for part in path.split("/"))
