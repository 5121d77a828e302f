"""Remotes: the file systems that DVC opens, by name or by address."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import without_passwords

from kitline_dvc.inside.failures import dvc_errors
from kitline_dvc.inside.legacy import LEGACY
from kitline_dvc.inside.version import check_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote: DVC's file system and the folder in it."""

    name: str
    fs: Any
    root: str
    is_versioned: bool

    @property
    def url(self) -> str:
        """Its address, without password."""
        return without_passwords(str(self.fs.unstrip_protocol(self.root)))

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return bool(self.fs.protocol == "local")

    def folder(self, hash_name: str) -> str:
        """Return the folder that holds objects by md5."""
        if hash_name == LEGACY:
            return self.root
        return posixpath.join(self.root, "files", "md5")

    def versioned_path(self, path: str, version: str | None) -> str:
        """Return the address of one version of a file."""
        joined = posixpath.join(self.root, path)
        return str(self.fs.version_path(joined, version)) if version else joined


def open_remote(config: Any, name: str | None) -> Remote | None:
    """Return a remote of a configuration, the default one without name; None without default.

    Raises:
        SourceError: if the configuration has no such remote.
    """
    name = name or config["core"].get("remote")
    return _open_remote(config, name, {"name": name}) if name else None


def open_remote_at(url: str) -> Remote:
    """Return the remote at an address, for whoever has no repository that names it.

    Raises:
        SourceError: if DVC knows no such kind of remote.
    """
    check_version()
    return _open_remote({}, without_passwords(url), {"url": url})


def _open_remote(config: Any, name: str, which: Mapping[str, str]) -> Remote:
    from dvc.fs import get_cloud_fs

    with dvc_errors(f"remote {name!r}"):
        make, found, root = get_cloud_fs(config, **which)
        is_versioned = bool(found.get("version_aware") or found.get("worktree"))
        if is_versioned:
            found["version_aware"] = True
        fs = make(**found)
        if fs.protocol == "s3":  # botocore's ten connections would be the limit
            fs.fs_args.setdefault("config_kwargs", {})["max_pool_connections"] = 64
    _refuse_oci(root)
    return Remote(name=name, fs=fs, root=str(root), is_versioned=is_versioned)


def _refuse_oci(root: str) -> None:
    if "oci:" in str(root).split("/"):
        raise SourceError(
            f"the remote {str(root)!r} is a local folder named 'oci:': DVC knows no OCI remotes"
        )
