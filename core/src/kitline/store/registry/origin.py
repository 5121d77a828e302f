"""Origins: where a registry's API lies, and which addresses belong to it.

An origin is scheme, host and port (RFC 6454). Credentials never leave the registry's own.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from kitline.errors import RegistryError
from kitline.frozen import dataclass
from kitline.store.registry.session import is_loopback

_PORTS = {"http": 80, "https": 443}
_API_HOSTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, order=True, kw_only=True)
class Origin:
    """Scheme, host (lower case, no brackets) and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of an absolute address.

        Raises:
            RegistryError: if it is no usable http or https address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as cause:
            raise RegistryError("the registry named an address that cannot be read") from cause
        if parts.scheme not in _PORTS or not parts.hostname:
            raise RegistryError(f"the registry named an address of scheme {parts.scheme[:20]!r}")
        if parts.username is not None or parts.password is not None:
            raise RegistryError("the registry named an address with a password in it")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname.lower(),
            port=_PORTS[parts.scheme] if port is None else port,
        )

    @classmethod
    def of_registry(cls, registry: str, *, plain_http: bool | None) -> Origin:
        """Return where the API of `registry` lies; plain HTTP on loopback unless told."""
        netloc = _API_HOSTS.get(registry, registry)
        host = urlsplit(f"//{netloc}").hostname or ""
        plain = is_loopback(host) if plain_http is None else plain_http
        return cls.of(f"{'http' if plain else 'https'}://{netloc}")

    @property
    def is_loopback(self) -> bool:
        """Whether it can only mean this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def follow(url: str, location: str) -> str:
    """Return the address that `location`, found in the answer to `url`, stands for.

    A registry behind a proxy that ends TLS may name itself with http: that is read as https. Any
    other step from https to http is refused.
    """
    joined = urljoin(url, location)
    before, after = Origin.of(url), Origin.of(joined)
    if before.scheme == "https" and after.scheme == "http":
        if after.host != before.host:
            raise RegistryError(f"{before} leads to {after}, which is not encrypted; not followed")
        parts = urlsplit(joined)
        return parts._replace(scheme="https", netloc=urlsplit(url).netloc).geturl()
    return joined
