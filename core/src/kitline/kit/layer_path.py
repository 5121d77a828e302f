"""Names from outside: the one check that every path passes before it is created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import UnsafeLayer

if TYPE_CHECKING:
    from kitline.kit.limits import Limits


def check_layer_path(path: str, what: str, limits: Limits) -> str:
    """Return a relative path without `.`, doubled and final slashes; empty for the folder itself.

    Raises:
        UnsafeLayer: if it is absolute, leads upward, holds NUL or is beyond the limits.
    """
    if path.startswith("/"):
        raise _refused(what, path, "the path is absolute")
    if "\0" in path:
        raise _refused(what, path, "the path holds a NUL")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(what, path, "the path holds '..'")
    if len(parts) > limits.depth:
        raise _refused(what, path, f"it lies more than {limits.depth} folders deep")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise _refused(what, path, "the path is not valid UTF-8") from None
    if length > limits.path_bytes:
        raise _refused(what, path, f"the path is longer than {limits.path_bytes} bytes")
    return "/".join(parts)


def _refused(what: str, path: str, reason: str) -> UnsafeLayer:
    shown = path if len(path) < 200 else path[:200] + "…"
    return UnsafeLayer(f"{what}: refused the entry {shown!r}: {reason}; nothing was kept")
