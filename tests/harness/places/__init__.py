"""Places where MLflow puts files: servers on loopback that can cut lines and change their files.

All hold the folder `1/model`; `place.uri` is its address. `s3` is moto, `sftp` asyncssh and `ftp`
pyftpdlib; `google` and `azure` answer as much of those services' HTTP interfaces as reading takes,
and `hdfs` is a folder behind the interface of Arrow's client.
"""

from __future__ import annotations

from typing import Protocol


class Place(Protocol):
    """A folder of files on a server."""

    uri: str
    asked: int
    """How often the content of a file was asked for."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file of the folder, in place and with a later time if it is there."""

    def delete(self, name: str) -> None:
        """Remove a file of the folder."""

    def cut(self, *counts: int) -> None:
        """Let the next answers with content break off after so many bytes."""
