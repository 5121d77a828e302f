"""Files in docker's format that hold credentials: `auths`, `credHelpers`, `credsStore`.

Sources: docker/cli cli/config/configfile/file.go and cli/config/types/authconfig.go;
containers/image docs/containers-auth.json.5.md (keys that carry a repository path).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidSetting
from kitline.store.registry.credential import Credential
from kitline.store.registry.credential_helper import CredentialHelper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""What docker calls Docker Hub in its files and to its helpers."""
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_LARGEST = 4 << 20


@dataclass(frozen=True, kw_only=True, repr=False)
class DockerConfig:
    """The content of one such file; `origin` names it in messages. Never shows its content."""

    content: Mapping[str, Any]
    origin: str

    @classmethod
    def parse(cls, text: str | bytes, origin: str) -> DockerConfig:
        """Read the JSON.

        Raises:
            InvalidSetting: naming `origin`, if it is not a JSON object.
        """
        try:
            content = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as cause:
            place = f" (line {cause.lineno})" if isinstance(cause, json.JSONDecodeError) else ""
            raise InvalidSetting("credentials", origin, f"is not JSON{place}") from None
        if not isinstance(content, dict):
            raise InvalidSetting("credentials", origin, "is not a JSON object")
        return cls(content=content, origin=origin)

    @classmethod
    def read(cls, path: Path) -> DockerConfig | None:
        """Read a file; None if there is none.

        Raises:
            InvalidSetting: if it is not a JSON object of at most 4 MiB.
            OSError: if it may not be read.
        """
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(text) > _LARGEST:
            raise InvalidSetting("credentials", str(path), "is larger than 4 MiB")
        return cls.parse(text, str(path))

    def find_helper(self, registry: str, environ: Mapping[str, str]) -> CredentialHelper | None:
        """Return the helper that keeps this registry's credential, if one is configured."""
        helpers = self.section("credHelpers")
        name = next((helpers[key] for key in _names_of(registry) if helpers.get(key)), None)
        name = name or self.content.get("credsStore") or None
        if name is None:
            return None
        if not isinstance(name, str):
            raise InvalidSetting("credentials", self.origin, "names a helper that is no text")
        return CredentialHelper(name=name, named_in=self.origin, environ=environ)

    def find_inline(self, registry: str, repository: str | None = None) -> Credential | None:
        """Return what stands under `auths`; the key with the longest repository path wins.

        Raises:
            InvalidSetting: if the entry for this registry is malformed.
        """
        auths = self.section("auths")
        for key in _keys(registry, repository, auths):
            found = self._entry(key, auths[key])
            if found is not None:
                return found
        return None

    def section(self, name: str) -> dict[str, Any]:
        """Return a member that is an object, empty where it is missing."""
        section = self.content.get(name)
        if section is None:
            return {}
        if not isinstance(section, dict):
            raise InvalidSetting("credentials", self.origin, f"{name!r} is not an object")
        return section

    def _entry(self, key: str, entry: object) -> Credential | None:
        where = f"auths[{key!r}]"
        if not isinstance(entry, dict):
            raise InvalidSetting("credentials", self.origin, f"{where} is not an object")
        fields = [entry.get(name) or "" for name in ("auth", "username", "password")]
        token = entry.get("identitytoken") or ""
        if not all(isinstance(value, str) for value in (*fields, token)):
            raise InvalidSetting("credentials", self.origin, f"{where} holds values of no text")
        auth, username, password = fields
        if auth:
            username, password = self._decode(auth, where)
        if token:
            return Credential(username=username, identity_token=token, source=self.origin)
        # helpers leave empty entries behind, which docker passes over
        return Credential.of(username, password, self.origin) if username and password else None

    def _decode(self, auth: str, where: str) -> tuple[str, str]:
        try:
            text = base64.b64decode(auth, validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        username, colon, password = text.partition(":")
        if not colon:
            raise InvalidSetting(
                "credentials", self.origin, f"{where}.auth is not 'user:password' in base64"
            )
        return username, password.strip("\x00")


def key_of(registry: str) -> str:
    """Return the key under which docker keeps the credential of a registry."""
    return DOCKER_HUB_KEY if registry in _DOCKER_HUB else registry


def is_key_of(key: str, registry: str) -> bool:
    """Tell whether a key means the whole registry, old spellings with `https://…/v1/` included."""
    return _place(key) in _names_of(registry)


def _names_of(registry: str) -> tuple[str, ...]:
    return (DOCKER_HUB_KEY, *_DOCKER_HUB) if registry in _DOCKER_HUB else (registry,)


def _place(key: str) -> str:
    """Return the key without scheme, and without the API version that old keys with one carry."""
    _, scheme, place = key.rpartition("://")
    place = place.rstrip("/")
    return place.removesuffix("/v1").removesuffix("/v2") if scheme else place


def _keys(registry: str, repository: str | None, auths: Mapping[str, Any]) -> Iterator[str]:
    segments = repository.split("/") if repository else []
    for count in range(len(segments), -1, -1):
        for name in _names_of(registry):
            place = "/".join([name, *segments[:count]])
            if place in auths:
                yield place
            yield from (key for key in auths if key != place and _place(key) == place)
