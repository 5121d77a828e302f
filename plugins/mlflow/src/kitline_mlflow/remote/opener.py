"""What opens the files of an artifact folder: the module of its kind, else a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kitline_mlflow.remote.azure import ask_blob, ask_data_lake
from kitline_mlflow.remote.downloads import Downloads
from kitline_mlflow.remote.ftp import ask_ftp
from kitline_mlflow.remote.google import ask_google
from kitline_mlflow.remote.hdfs import ask_hdfs
from kitline_mlflow.remote.http import ask_http
from kitline_mlflow.remote.resuming import Resuming
from kitline_mlflow.remote.s3 import ask_s3
from kitline_mlflow.remote.sftp import ask_sftp

if TYPE_CHECKING:
    from kitline.plugin import ByteStream
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


class Opener(Protocol):
    """Opens the files of an artifact folder."""

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Open a file that was listed with `size` bytes at `offset`."""


def find_opener(artifacts: ArtifactRepository) -> Opener:
    """Return what streams the files of a folder, or downloads them where nothing can stream."""
    from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository
    from mlflow.store.artifact.azure_data_lake_artifact_repo import AzureDataLakeArtifactRepository
    from mlflow.store.artifact.ftp_artifact_repo import FTPArtifactRepository
    from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository
    from mlflow.store.artifact.hdfs_artifact_repo import HdfsArtifactRepository
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    from mlflow.store.artifact.optimized_s3_artifact_repo import OptimizedS3ArtifactRepository
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
    from mlflow.store.artifact.sftp_artifact_repo import SFTPArtifactRepository

    match artifacts:
        case HttpArtifactRepository():
            return Resuming(artifacts, ask_http)
        case S3ArtifactRepository() | OptimizedS3ArtifactRepository():
            return Resuming(artifacts, ask_s3)
        case GCSArtifactRepository():
            return Resuming(artifacts, ask_google)
        case AzureBlobArtifactRepository():
            return Resuming(artifacts, ask_blob)
        case AzureDataLakeArtifactRepository():
            return Resuming(artifacts, ask_data_lake)
        case SFTPArtifactRepository():
            return Resuming(artifacts, ask_sftp)
        case FTPArtifactRepository():
            return Resuming(artifacts, ask_ftp)
        case HdfsArtifactRepository():
            return Resuming(artifacts, ask_hdfs)
        case _:
            return Downloads(artifacts)
