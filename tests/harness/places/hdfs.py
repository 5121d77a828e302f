"""HDFS as Arrow's client shows it, over a folder: libhdfs needs Java and Hadoop's libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow.fs import LocalFileSystem

from harness.places.folder import FolderPlace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def show_hdfs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """Let MLflow find a folder where it looks for HDFS."""
    place = FolderPlace(f"hdfs://namenode:8020{folder}/1/model", folder / "1/model")

    class System:
        def __init__(self, **settings: Any) -> None:
            assert settings["host"] == "hdfs://namenode"
            assert settings["port"] == 8020
            self._local = LocalFileSystem()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._local, name)

        def open_input_file(self, path: str) -> File:
            return File(self._local.open_input_file(path), place.next_answer())

    class File:
        def __init__(self, opened: Any, left: int) -> None:
            self._opened = opened
            self._left = left

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            self._opened.close()

        def seek(self, position: int) -> None:
            self._opened.seek(position)

        def readinto(self, buffer: memoryview) -> int:
            count = int(self._opened.readinto(buffer[: self._left]))
            if not count and self._left <= 0:
                raise OSError("HDFS read failed: the node is gone")
            self._left -= count
            return count

    monkeypatch.setattr("mlflow.store.artifact.hdfs_artifact_repo.HadoopFileSystem", System)
    return place
