"""How much a layer from outside may ask for before it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is taken for an attack; generous for every kit that people make."""

    entries: int = 1_000_000
    """Files and folders in one kit."""
    path_bytes: int = 4096
    """Length of one path."""
    depth: int = 256
    """Folders above one file."""
    ratio: int = 1000
    """How many times its own size a compressed layer may grow."""
    unpacked_bytes: int = 1 << 42
    """What a compressed layer may grow to, in bytes."""
    header_bytes: int = 1 << 20
    """Length of one extended header."""
    check_file: Callable[[str], None] | None = None
    """Called with the path of each file before it is read; raises if a policy forbids it."""


DEFAULT_LIMITS = Limits()
