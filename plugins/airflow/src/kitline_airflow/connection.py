"""A connection of type `modelkit`: what it says about a registry, as settings of kitline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kitline.errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

    import kitline

DEFAULT = "modelkit_default"
"""The connection that is used where none is named; it may be missing."""
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class AirflowConnection(Protocol):
    """What is read of a connection of Airflow."""

    conn_id: str
    host: str | None
    port: int | None
    login: str | None
    password: str | None
    extra_dejson: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RegistryAccess:
    """Where a registry is and how it is spoken to; `RegistryAccess()` asks docker's files."""

    registry: str | None = None
    """Host and port."""
    prefix: str | None = None
    """The registry, with a path if the connection's host has one; names go below it."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    plain_http: bool = False
    insecure: bool = False
    ca_file: Path | None = None

    @classmethod
    def of(cls, connection: AirflowConnection) -> RegistryAccess:
        """Read a connection.

        Raises:
            InvalidSetting: naming the connection and the field that is wrong.
        """
        read = _Reader(connection)
        scheme, host = read.host()
        registry, slash, path = host.partition("/")
        if connection.port and registry:
            registry = f"{registry}:{connection.port}"
        return cls(
            registry=registry or None,
            prefix=f"{registry}{slash}{path}" if registry else None,
            username=connection.login or None,
            password=connection.password or None,
            plain_http=scheme == "http" or read.flag("plain_http"),
            insecure=read.flag("insecure"),
            ca_file=read.ca_file(),
        ).checked(read)

    def checked(self, read: _Reader) -> RegistryAccess:
        """Refuse what only half a credential is, or one that belongs to no registry."""
        if bool(self.username) != bool(self.password):
            missing = "login" if self.password else "password"
            raise read.wrong(missing, "is missing; user and secret are needed, or neither")
        if self.username and not self.registry:
            raise read.wrong("host", "is missing; say which registry the user is known to")
        return self

    def settings(self, base: kitline.Settings) -> kitline.Settings:
        """Return `base`, usually what files and environment say, with what this says on top."""
        if self.registry is None:
            return base if self.ca_file is None else replace(base, ca_file=self.ca_file)
        credentials = {}
        if self.username and self.password:
            credentials[self.registry] = (self.username, self.password)
        here = (self.registry,)
        return replace(
            base,
            registry=self.prefix,
            plain_http=(*base.plain_http, *(here if self.plain_http else ())),
            insecure=(*base.insecure, *(here if self.insecure else ())),
            ca_file=self.ca_file or base.ca_file,
            credentials={**base.credentials, **credentials},
        )

    def environment(self) -> dict[str, str]:
        """Return the same as variables, for a kitline in another process."""
        found = {
            "KITLINE_REGISTRY": self.prefix,
            "KITLINE_PLAIN_HTTP": self.registry if self.plain_http else None,
            "KITLINE_INSECURE": self.registry if self.insecure else None,
            "KITLINE_CA_FILE": str(self.ca_file) if self.ca_file else None,
        }
        if self.username:
            found["KITLINE_USERNAME"] = self.username
            found["KITLINE_PASSWORD"] = self.password
            found["KITLINE_CREDENTIALS_REGISTRY"] = self.registry
        return {name: value for name, value in found.items() if value}

    def locate(self, text: str) -> str:
        """Return a reference with the connection's registry, where it names none itself.

        Folders (`oci:…`) stay what they are; without a registry in the connection a bare name
        means kitline's local store.
        """
        from kitline.plugin import Reference

        if self.prefix is None or text.startswith(("oci:", "oci-archive:")):
            return text
        return f"{self.prefix}/{text}" if Reference.parse(text).is_bare else text


class _Reader:
    """Reads fields tolerantly: JSON connections keep types, URI connections are all text."""

    def __init__(self, connection: AirflowConnection) -> None:
        self._connection = connection
        self._extra: Mapping[str, Any] = connection.extra_dejson or {}

    def host(self) -> tuple[str, str]:
        """Return scheme (mostly empty) and host with path, without slash at the end."""
        text = (self._connection.host or "").strip().rstrip("/")
        scheme, separator, rest = text.partition("://")
        if not separator:
            return "", text
        if scheme.lower() not in ("http", "https", "oci"):
            raise self.wrong("host", f"has the scheme {scheme!r}; write 'registry.example'")
        return scheme.lower(), rest

    def extra(self, name: str) -> Any:
        """Return a field of `extra`, under the name that Airflow's old forms gave it too."""
        return self._extra.get(name, self._extra.get(f"extra__modelkit__{name}"))

    def flag(self, name: str) -> bool:
        """Read yes or no."""
        found = self.extra(name)
        if found is None or isinstance(found, bool):
            return bool(found)
        text = str(found).strip().lower()
        if text not in _TRUE | _FALSE:
            raise self.wrong(f"extra.{name}", f"is {found!r}, neither true nor false")
        return text in _TRUE

    def ca_file(self) -> Path | None:
        """Read the path of a PEM file."""
        found = self.extra("ca_file") or self.extra("ca_bundle")
        return Path(str(found)).expanduser() if found else None

    def wrong(self, name: str, reason: str) -> InvalidSetting:
        """Return the error about a field."""
        return InvalidSetting(name, f"connection {self._connection.conn_id!r}", reason)
