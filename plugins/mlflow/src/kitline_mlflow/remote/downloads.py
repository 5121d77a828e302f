"""Downloads: for stores that MLflow cannot stream from, one file at a time, without a name.

MLflow reads Databricks' stores and those of other packages only into files. Such a file lives as
long as it is being read: it loses its name as soon as it is complete. What a kill leaves behind
goes with the next import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import LockedFolder

from kitline_mlflow.local_files import open_local
from kitline_mlflow.redact import reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.plugin import ByteStream
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

PREFIX = "kitline-mlflow-"


class Downloads:
    """Opens files of an artifact folder by downloading them."""

    def __init__(self, artifacts: ArtifactRepository) -> None:
        self._artifacts = artifacts

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Download a file and open it at `offset`; it is gone once the stream is closed."""
        with LockedFolder(PREFIX) as folder:
            local = folder.path / "file"
            self._download(path, local)
            if size is not None and (found := local.stat().st_size) != size:
                raise SourceError(f"the server lists {path!r} with {size} bytes and sent {found}")
            return open_local(local, offset)

    def _download(self, path: str, local: Path) -> None:
        try:
            self._artifacts._download_file(path, str(local))  # type: ignore[no-untyped-call] # MLflow
        except Exception as cause:  # whatever the store's own client raises
            raise SourceError(f"cannot download {path!r}: {reason_of(cause)}") from cause
