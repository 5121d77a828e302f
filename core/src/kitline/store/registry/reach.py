"""Reach: which addresses a program that others can send about may connect to.

A registry redirects to storage and names a token service, so it can point at machines that only we
can see (server-side request forgery). The address is looked at when the connection is open and
before a byte is sent, so a name that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from kitline.errors import RegistryError
from kitline.store.registry.origin import Origin

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable


class Reach:
    """Public addresses, and whatever addresses the `trusted` registries have."""

    def __init__(self, trusted: Iterable[str]) -> None:
        origins = (Origin.of_registry(each, plain_http=None) for each in trusted)
        self._trusted = frozenset((each.host, each.port) for each in origins)

    def check(self, host: str, port: int, connection: socket.socket) -> None:
        """Close a connection to a private address.

        Raises:
            RegistryError: naming the host that was not trusted.
        """
        host = host.strip("[]").lower()
        if (host, port) in self._trusted or _is_public(connection.getpeername()[0]):
            return
        connection.close()
        raise RegistryError(
            f"refused to connect to {host}:{port}: a registry led there, it has a private address"
            " and is not one of the registries that may be asked"
        )


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global
