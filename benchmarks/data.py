"""The two folders that are packed: one big model file, and many small files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Large:
    """A folder with a Kitfile and one model file of random bytes."""

    folder: Path
    file: Path
    size: int
    digest: str


def make_large(folder: Path, size: int) -> Large:
    """Write the big file; its digest is computed on the way, for curl."""
    folder.mkdir()
    file, hasher, left = folder / "model.bin", hashlib.sha256(), size
    with file.open("wb") as out:
        while left:
            block = os.urandom(min(BLOCK, left))
            hasher.update(block)
            left -= out.write(block)
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\nmodel: {path: model.bin}\n")
    return Large(folder=folder, file=file, size=size, digest=f"sha256:{hasher.hexdigest()}")


def make_small(folder: Path, count: int, size: int) -> Path:
    """Write `count` files of `size` bytes into one data set."""
    for number in range(count):
        path = folder / "data" / f"{number % 20:02}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\ndatasets: [{path: data}]\n")
    return folder
