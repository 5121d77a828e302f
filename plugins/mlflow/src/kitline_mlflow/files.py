"""The files of a logged model as entries of a kit, read where they lie.

Those of a local artifact store are opened in place; those elsewhere are
streamed when their turn comes. All give the same entries: names and sizes, modes 0644 and 0755.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import Entry

from kitline_mlflow.local_files import local_entry
from kitline_mlflow.redact import clean_address
from kitline_mlflow.remote.downloads import Downloads
from kitline_mlflow.remote.folders import list_files
from kitline_mlflow.remote.opener import find_opener

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlflow.store.artifact.artifact_repo import ArtifactRepository

    from kitline_mlflow.remote.opener import Opener

FOLDER = "model"
"""Where the model's files lie in the kit."""


def open_files(
    artifacts: ArtifactRepository, folder: str = FOLDER, *, may_be_missing: bool = False
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the files of an artifact folder, and warnings; `folder` is their place in the kit.

    `may_be_missing` is for runs: their folder appears with the first file that they log.

    Raises:
        SourceError: if the folder is missing, or something in it is no file inside of it.
    """
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    if isinstance(artifacts, LocalArtifactRepository):
        root = Path(artifacts.artifact_dir)
        is_empty = may_be_missing and not os.path.lexists(root)
        return () if is_empty else find_files(root, folder), ()
    source = find_opener(artifacts)
    files = fetch_files(source, list_files(artifacts), folder)
    if not isinstance(source, Downloads) or not files:
        return files, ()
    where = clean_address(artifacts.artifact_uri)
    return files, (
        f"MLflow cannot stream from {where!r}: each file is downloaded to"
        f" {tempfile.gettempdir()!r} first, one at a time",
    )


def find_files(root: Path, folder: str = FOLDER) -> tuple[Entry, ...]:
    """Return the files of a local artifact folder; `folder` is their place in the kit.

    Raises:
        SourceError: if a link leaves the folder or something is no file.
    """
    root = root.resolve()
    if not root.is_dir():
        raise SourceError(f"the model's folder {str(root)!r} is missing")
    found = []
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_left_out(name)]
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        if linked:
            raise SourceError(f"{str(Path(parent, linked[0]))!r} is a link to a folder")
        kept = [name for name in files if not is_left_out(name)]
        found += [_local_file(root, Path(parent, name), folder) for name in kept]
    return tuple(found)


def fetch_files(
    source: Opener, listing: Iterable[tuple[str, int | None]], folder: str = FOLDER
) -> tuple[Entry, ...]:
    """Return the files of a remote artifact folder; each is read when it is opened."""
    return tuple(
        Entry(path=f"{folder}/{_checked(path)}", size=size, open=partial(source.open, path, size))
        for path, size in listing
        if not any(is_left_out(name) for name in path.split("/"))
    )


def is_left_out(name: str) -> bool:
    """Tell what MLflow or Python leave in the folder later, and is no part of the model."""
    # registered_model_meta: written by MLflow up to 3.17 into the store itself on each download
    return name in ("registered_model_meta", "__pycache__") or name.startswith(
        ".artifact.uploading."
    )


def _checked(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise SourceError(f"the server lists {path!r}, which is no path inside the model")
    return path


def _local_file(root: Path, path: Path, folder: str) -> Entry:
    target = path.resolve()
    if not target.is_relative_to(root):
        raise SourceError(f"{str(path)!r} is a link that leaves the model's folder")
    return local_entry(f"{folder}/{path.relative_to(root).as_posix()}", target)
