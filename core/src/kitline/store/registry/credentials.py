"""Where the credential for a registry is looked for, in docker's order and then some.

Order: explicit argument; KITLINE_USERNAME and KITLINE_PASSWORD; DOCKER_AUTH_CONFIG; docker's
config.json; podman's auth.json; kit's credentials.json; the cloud's own identity. What cannot be
used but may not be needed either (a helper that is missing, a file that may not be read) becomes
a note that a later refusal shows, for docker and podman go on in these cases as well.
"""

from __future__ import annotations

import sys
from os import environ as process_environ
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import InvalidSetting
from kitline.frozen import dataclass
from kitline.store.registry.credential import Credential
from kitline.store.registry.docker_config import DockerConfig, key_of
from kitline.store.registry.identity import find_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Identity = Callable[[str], tuple[Credential | None, tuple[str, ...]]]

_PAIR = "the environment variables KITLINE_USERNAME and KITLINE_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """A credential, or None; and notes on what could not be used on the way."""

    credential: Credential | None
    notes: tuple[str, ...] = ()


def look_up_credential(
    registry: str,
    repository: str | None = None,
    *,
    username: str | None = None,
    password: str | None = None,
    environ: Mapping[str, str] | None = None,
    identity: Identity = find_identity,
) -> Lookup:
    """Find the credential for a registry, or for one of its repositories.

    Raises:
        InvalidSetting: naming the file or variable, if something is there but malformed.
    """
    environ = process_environ if environ is None else environ
    found = _explicit(username, password) or _from_pair(registry, environ)
    if found is not None:
        return Lookup(credential=found)
    notes: list[str] = []
    for config in _configs(environ, notes):
        found = _from_config(config, registry, repository, environ, notes)
        if found is not None:
            return Lookup(credential=found, notes=tuple(notes))
    found, more = identity(registry)
    return Lookup(credential=found, notes=(*notes, *more))


def docker_config_path(environ: Mapping[str, str]) -> Path | None:
    """Return where docker's config.json lies; None without DOCKER_CONFIG and home folder."""
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder) / "config.json"
    home = _home(environ)
    return home / ".docker" / "config.json" if home else None


def _explicit(username: str | None, password: str | None) -> Credential | None:
    if username is None and password is None:
        return None
    if username is None or password is None:
        missing = "user name" if username is None else "password"
        raise InvalidSetting("credentials", "the arguments", f"the {missing} is missing")
    return Credential.of(username, password, "the arguments")


def _from_pair(registry: str, environ: Mapping[str, str]) -> Credential | None:
    username, password = environ.get("KITLINE_USERNAME"), environ.get("KITLINE_PASSWORD")
    only_for = environ.get("KITLINE_CREDENTIALS_REGISTRY")
    if not (username or password) or (only_for and key_of(only_for) != key_of(registry)):
        return None
    if not (username and password):
        missing = "KITLINE_PASSWORD" if username else "KITLINE_USERNAME"
        raise InvalidSetting(missing, "the environment", "is missing; the pair is needed")
    return Credential.of(username, password, _PAIR)


def _configs(environ: Mapping[str, str], notes: list[str]) -> Iterator[DockerConfig]:
    if text := environ.get("DOCKER_AUTH_CONFIG"):
        yield DockerConfig.parse(text, "the environment variable DOCKER_AUTH_CONFIG")
    for path in _files(environ):
        try:
            config = DockerConfig.read(path)
        except OSError as cause:
            notes.append(f"{str(path)!r} cannot be read: {cause.strerror}")
            continue
        if config is not None:
            yield config


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    if docker := docker_config_path(environ):
        yield docker
    home = _home(environ)
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    else:
        if runtime := environ.get("XDG_RUNTIME_DIR"):
            yield Path(runtime, "containers", "auth.json")
        configs = environ.get("XDG_CONFIG_HOME") or (home and home / ".config")
        if configs:
            yield Path(configs, "containers", "auth.json")
    if kit := _kit_home(environ, home):
        yield kit / "credentials.json"


def _from_config(
    config: DockerConfig,
    registry: str,
    repository: str | None,
    environ: Mapping[str, str],
    notes: list[str],
) -> Credential | None:
    helper = config.find_helper(registry, environ)
    if helper is not None:
        try:
            found = helper.get(key_of(registry))
        except InvalidSetting as cause:
            notes.append(str(cause))
        else:
            if found is not None:
                return found
    return config.find_inline(registry, repository)


def _home(environ: Mapping[str, str]) -> Path | None:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) if home else None


def _kit_home(environ: Mapping[str, str], home: Path | None) -> Path | None:
    """Return kit's home, as kit's `pkg/lib/constants` finds it."""
    if named := environ.get("KITOPS_HOME"):
        return Path(named)
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "kitops" if home else None
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return Path(local) / "kitops" if local else None
    data = environ.get("XDG_DATA_HOME") or (home and home / ".local" / "share")
    return Path(data) / "kitops" if data else None
