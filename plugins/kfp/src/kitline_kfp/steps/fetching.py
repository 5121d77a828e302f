"""Fetch: the content of a kit, named by its digest, as files of the step."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import kitline

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.target import require_pinned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A kit's files in a folder; `open(fetched / "data/train.csv")` reads one."""

    folder: Path
    digest: str
    reference: str

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def __fspath__(self) -> str:
        return str(self.folder)


@speaks_plainly
def fetch(
    reference: str, folder: str | PathLike[str] | None = None, *, drawers: Iterable[str] = ()
) -> Fetched:
    """Unpack a kit, each byte verified, into a folder.

    If none is named, it is a temporary one that goes when the step ends.

    Args:
        reference: With a digest: a step that takes it as a parameter is cached by content.
        folder: Where to; what is there already is refused.
        drawers: Filters as of `kitline unpack`, such as `model` or `datasets:train`.

    Raises:
        UsageError: if the reference names no digest.
        NotFound: if the kit is not there any more.
        VerificationError: if content is not what its digest promises; nothing is kept.
    """
    name = require_pinned(reference)
    place = Path(folder) if folder is not None else _temporary_folder()
    # a step's files die with its pod: there is nothing to make durable
    done = kitline.unpack(name, place, filters=tuple(drawers), durable=False)
    return Fetched(folder=place, digest=str(done.digest), reference=str(done.reference))


def _temporary_folder() -> Path:
    place = tempfile.mkdtemp(prefix="modelkit-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)
