"""Login and logout: credentials written where docker keeps them, without docker.

A helper gets them where docker's config.json names one; else they stand there under `auths`, in
a file that only its owner can read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import tempfile
from os import environ as process_environ
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import TargetError, UsageError
from kitline.store.registry.credentials import docker_config_path
from kitline.store.registry.docker_config import DockerConfig, is_key_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TEMPORARY = ".config.json-"


def store_credential(
    registry: str, username: str, password: str, *, environ: Mapping[str, str] | None = None
) -> str:
    """Keep a credential for a registry; return in words where it is now.

    Raises:
        UsageError: if user name or password cannot be written down.
        InvalidSetting: if docker's config.json or its helper is not usable.
        TargetError: if the file cannot be written.
    """
    environ = process_environ if environ is None else environ
    _check(username, password)
    path, key = _path(environ), key_of(registry)
    with _opened(path) as config:
        helper = config.find_helper(registry, environ)
        auths = config.section("auths")
        if helper is not None:
            helper.store(key, username, password)
            auths[key] = {}  # as docker does, so that the list of logins is complete
        else:
            text = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
            auths[key] = {"auth": text}
        _replace(path, {**config.content, "auths": auths})
    return helper.source if helper else str(path)


def erase_credential(registry: str, *, environ: Mapping[str, str] | None = None) -> str | None:
    """Forget the credential of a registry; return in words where it was, None if nowhere.

    Only docker's config.json and its helpers are touched.

    Raises:
        InvalidSetting: if docker's config.json or its helper is not usable.
        TargetError: if the file cannot be written.
    """
    environ = process_environ if environ is None else environ
    path = _path(environ)
    if not os.path.exists(path):  # False also where it may not be looked at
        return None
    with _opened(path) as config:
        helper = config.find_helper(registry, environ)
        held = None
        if helper is not None and helper.get(key_of(registry)) is not None:
            helper.erase(key_of(registry))
            held = helper.source
        auths = config.section("auths")
        kept = {key: entry for key, entry in auths.items() if not is_key_of(key, registry)}
        if kept != auths:
            _replace(path, {**config.content, "auths": kept})
            held = held or str(path)
    return held


def _check(username: str, password: str) -> None:
    if not username or not password:
        raise UsageError("a login needs a user name and a password, neither of them empty")
    if ":" in username:
        raise UsageError(f"user name {username!r} holds ':', which Basic authorization cannot send")
    if any(ord(character) < 32 or ord(character) == 127 for character in username + password):
        raise UsageError("user name or password holds a control character, such as a line end")


def _path(environ: Mapping[str, str]) -> Path:
    path = docker_config_path(environ)
    if path is None:
        raise TargetError("no place for credentials: neither HOME nor DOCKER_CONFIG is set")
    # the file may be a link into a folder of dotfiles, which is to stay one
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[DockerConfig]:
    """Read the file while no other kitline writes it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            config = DockerConfig.read(path)
            yield config or DockerConfig(content={}, origin=str(path))
    except OSError as cause:
        raise TargetError(
            f"cannot write credentials to {str(path)!r}: {cause.strerror}; set DOCKER_CONFIG to"
            " a folder that can be written"
        ) from cause


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder itself, so that no lock file is left in it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: Mapping[str, object]) -> None:
    """Put the new content in place at once; the file is readable to its owner only (0600)."""
    for left in path.parent.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            left.unlink()  # nobody else writes now: a killed process left it, with its secrets
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent="\t", ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
