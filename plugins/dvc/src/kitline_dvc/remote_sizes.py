"""Sizes of objects in a remote: DVC does not note them, and a tar needs them before the first byte.

A small remote is listed whole, a large one by the 256 folders of its objects, and where even that
is more work than asking for each object, each is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline_dvc.inside.remotes import Remote
    from kitline_dvc.read_ahead import Fetcher

_FEW = 64
"""So many objects are asked for one by one in any case."""
_PAGE = 1000
"""Objects that one request lists."""
_SMALL_REMOTE = 20 * _PAGE
_FOLDERS = 256


def find_sizes(remote: Remote, fetcher: Fetcher, folder: str, names: set[str]) -> dict[str, int]:
    """Return the sizes in bytes of the objects that are there, by md5."""
    if len(names) <= _FEW or not remote.fs.CAN_TRAVERSE:
        return _ask(fetcher, folder, names)
    sample = fetcher.find(f"{folder}/00")
    objects = len(sample) * _FOLDERS
    if objects <= _SMALL_REMOTE:
        return _listed(fetcher.find(folder), names)
    if len(names) <= _FOLDERS * (1 + len(sample) // _PAGE):
        return _ask(fetcher, folder, names)
    found: dict[str, int] = {}
    prefixes = sorted({name[:2] for name in names})
    for listing in fetcher.map(fetcher.find, (f"{folder}/{each}" for each in prefixes)):
        found |= _listed(listing, names)
    return found


def _ask(fetcher: Fetcher, folder: str, names: Iterable[str]) -> dict[str, int]:
    asked = [(name, fetcher.info(f"{folder}/{name[:2]}/{name[2:]}")) for name in names]
    found = {}
    for name, future in asked:
        try:
            found[name] = int(future.result()["size"])
        except FileNotFoundError:
            continue
    return found


def _listed(listing: Mapping[str, Mapping[str, Any]], names: set[str]) -> dict[str, int]:
    found = {}
    for path, details in listing.items():
        head, _, rest = path.rpartition("/")
        name = head[-2:] + rest
        if name in names and details.get("type") == "file":
            found[name] = int(details["size"])
    return found
