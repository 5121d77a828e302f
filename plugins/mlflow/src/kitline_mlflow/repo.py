"""The artifact repository behind `modelkit://`: MLflow loads, lists and downloads kits by digest.

MLflow imports this module while it is itself half imported, and drops the scheme or dies if that
fails: nothing is imported here but what cannot fail, and the constructor looks at nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mlflow.store.artifact.artifact_repo import ArtifactRepository

if TYPE_CHECKING:
    from mlflow.entities import FileInfo


class ModelkitArtifactRepository(ArtifactRepository):
    """A kit, read-only; every method checks the address and the server's policy first.

    MLflow splits an address at its last slash, so `artifact_uri` and a method's path make sense
    only together.
    """

    def __init__(self, artifact_uri: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(artifact_uri, *args, **kwargs)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return what a folder of the kit holds; nothing for a file or a missing path."""
        from kitline_mlflow.repo_reading import list_artifacts

        return list_artifacts(self.artifact_uri, path)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Copy a file or folder of the kit to `dst_path`, or to a new folder of its own."""
        from kitline_mlflow.repo_reading import download_artifacts

        return download_artifacts(self.artifact_uri, artifact_path, dst_path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        from kitline_mlflow.repo_reading import download_file

        download_file(self.artifact_uri, remote_file_path, local_path)

    # These three have to be here: what is missing, MLflow takes for done.

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> NoReturn:
        """Refuse: a digest names content that cannot change."""
        self._refuse_to_write(f"write {local_file!r}")

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> NoReturn:
        """Refuse: a digest names content that cannot change."""
        self._refuse_to_write(f"write {local_dir!r}")

    def delete_artifacts(self, artifact_path: str | None = None) -> NoReturn:
        """Refuse: a digest names content that cannot change."""
        self._refuse_to_write(f"delete {artifact_path or 'artifacts'!r}")

    def _refuse_to_write(self, attempt: str) -> NoReturn:
        from kitline_mlflow.repo_reading import refuse_to_write

        refuse_to_write(self.artifact_uri, attempt)
