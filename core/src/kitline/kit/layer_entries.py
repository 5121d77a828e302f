"""Which entries of a tree a layer holds: its path, what lies below, and the folders above.

What belongs to a layer deeper inside is left to that layer. kit 1.15.0 compares such paths as plain
text, so that beside a layer `data` the files `data-v2/…` are in no layer at all; kitline compares
names, keeps them, and says where kit would differ.
Source: kit 1.15.0 pkg/lib/filesystem/{tar.go,ignore/ignore.go}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.kit.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_FOLDER_MODE = 0o755


def layer_entries(
    entries: Iterable[Entry],
    path: str,
    other_paths: Iterable[str] = (),
    *,
    field: str = "",
    left_out: Collection[str] = (),
    kit_compatible: bool = False,
    kit_differs: list[str] | None = None,
) -> list[Entry]:
    """Return the entries of the layer at `path`, in order.

    Args:
        entries: All entries of the tree, folders before their content.
        path: The cleaned path of the layer, `.` for the whole tree.
        other_paths: The cleaned paths of all layers; those inside of `path` keep what is theirs.
        field: What the Kitfile calls the layer, such as `datasets[1]`, for error messages.
        left_out: Paths that exist but are ignored or links: such a layer is empty, as with kit.
        kit_compatible: Lose the files that kit 1.15.0 loses, to compare bytes with it.
        kit_differs: Takes one sentence for each file that kit would not pack.

    Raises:
        SourceError: if nothing is at `path`, or a name holds `..`.
    """
    others = set(other_paths)
    chosen = [entry for entry in entries if _is_above(entry, path) or _is_within(entry.path, path)]
    found = path == "." or any(_is_within(entry.path, path) for entry in chosen)
    if not found and path not in left_out:
        shown = f"{field}.path" if field else "the layer"
        raise SourceError(f"{shown}: nothing to pack at {path!r}; the path does not exist")
    inner = {each for each in others if each != path and _is_within(each, path)}
    chosen = [entry for entry in chosen if not _belongs_to(entry.path, inner)]
    rivals = tuple(each for each in others if not path.startswith(each))
    lost = [entry for entry in chosen if _kit_loses(entry.path, path, rivals)]
    if kit_compatible:
        dropped = {entry.path for entry in lost}
        return [entry for entry in chosen if entry.path not in dropped]
    if kit_differs is not None:
        kit_differs += [
            f"kit would lose {entry.path!r}: its name begins like another layer's path"
            for entry in lost
            if ".." not in entry.path
        ]
    for entry in chosen:
        _check_name(entry.path)
    return list(_with_folders(chosen, kit_differs))


def _is_above(entry: Entry, path: str) -> bool:
    return entry.is_folder and path.startswith(entry.path + "/")


def _is_within(path: str, folder: str) -> bool:
    return folder in (".", path) or path.startswith(folder + "/")


def _belongs_to(path: str, inner: set[str]) -> bool:
    if not inner:
        return False
    if path in inner:
        return True
    cut = path.find("/")
    while cut >= 0:
        if path[:cut] in inner:
            return True
        cut = path.find("/", cut + 1)
    return False


def _kit_loses(path: str, layer: str, rivals: tuple[str, ...]) -> bool:
    """Tell whether kit's comparison of plain text would leave this path out of the layer."""
    below = path if layer == "." else path[len(layer) :]
    return path.startswith(rivals) or (".." in below and _is_within(path, layer))


def _check_name(path: str) -> None:
    if ".." in path:
        raise SourceError(
            f"cannot pack {path!r}: kit neither packs nor unpacks names that hold '..'; "
            "rename it or list it in '.kitignore'"
        )


def _with_folders(entries: list[Entry], kit_differs: list[str] | None) -> Iterator[Entry]:
    """Put in the folders that lead to an entry where the tree itself has none."""
    present = {"", *(entry.path for entry in entries if entry.is_folder)}
    for entry in entries:
        missing = []
        above = entry.path.rpartition("/")[0]
        while above not in present:
            missing.append(above)
            present.add(above)
            above = above.rpartition("/")[0]
        for folder in reversed(missing):
            yield Entry(path=folder, is_folder=True, mode=_FOLDER_MODE)
            if kit_differs is not None:
                kit_differs.append(
                    f"kit would leave out the folder {folder!r} and could not unpack the kit"
                )
        yield entry
