"""KitTree: a Kitfile plus an ordered set of entries, read lazily.

A folder is one; so are a DVC revision in a cache and an MLflow artifact folder read in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kitline.kit.kitfile import Kitfile
    from kitline.store.interface import ByteStream

Fingerprint = tuple[int | str, ...]
"""What tells a file unchanged without reading it: device, inode, size, mtime_ns, ctime_ns.

Or a name of its content, which begins with a text: ("dvc-md5", md5). Such a file is checked against
that name while it is read.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file or folder of a tree.

    `path` is relative, `/`-separated, without `.` and `..`; `mode` holds permission bits; `size` in
    bytes is None only if the source cannot tell (pack then spools the file and reports it).
    """

    path: str
    is_folder: bool = False
    mode: int = 0o644
    size: int | None = 0
    open: Callable[[int], ByteStream] | None = field(default=None, compare=False)
    """Opens the content at an offset in bytes."""
    fingerprint: Callable[[], Fingerprint | None] = field(default=lambda: None, compare=False)
    """Reads the fingerprint as it is now; None if the source has none."""
    listed: Fingerprint | None = field(default=None, compare=False)
    """The fingerprint when the entry was listed, if the source has read it then."""
    mtime_ns: int = field(default=0, compare=False)
    """Only looked at by raw layers with kept times."""


class KitTree(Protocol):
    """What is packed."""

    @property
    def kitfile(self) -> Kitfile:
        """What the kit says of itself."""

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know about the entries, such as links left out."""

    def entries(self) -> Iterable[Entry]:
        """Return folders and files, folders before their content, names in byte order."""


@runtime_checkable
class PartitionedTree(Protocol):
    """A KitTree that knows by itself what each part holds, such as partitions of one folder."""

    def part_entries(self, field: str) -> Sequence[Entry]:
        """Return the entries of a part, named by its `KitPart.field` (`datasets[2]`), in order.

        Folders and files as `entries()` has them. Each file of the tree belongs to one part
        exactly, and lies at or below the part's path.
        """
