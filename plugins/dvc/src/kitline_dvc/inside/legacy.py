"""What DVC 2 did otherwise, and DVC 3 still reads."""

from __future__ import annotations

LEGACY = "md5-dos2unix"
"""How DVC 2 named files: line ends of text were changed before hashing."""


def is_text(block: bytes) -> bool:
    """Tell whether DVC 2 took a file for text, by its first 512 bytes."""
    from dvc_data.hashfile.istextfile import istextblock

    return bool(istextblock(block))
