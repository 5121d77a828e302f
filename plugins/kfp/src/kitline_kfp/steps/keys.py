"""Public keys in a step: a pipeline can hand one on as text, which then needs no file."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEM = "-----BEGIN "


@contextmanager
def key_source(key: str) -> Iterator[str | None]:
    """Give where a key lies, for as long as it is needed; None if no key is named.

    Args:
        key: Its PEM text, a file, `env://VARIABLE`, or the URI of a key service.
    """
    if not key.lstrip().startswith(_PEM):
        yield key or None
        return
    with tempfile.TemporaryDirectory(prefix="kitline-key-") as folder:
        path = Path(folder) / "key.pem"
        path.write_text(key, encoding="utf-8")
        yield str(path)
