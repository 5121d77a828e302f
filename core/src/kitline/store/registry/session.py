"""The HTTP session: large blocks, timeouts that fit slow links, no credentials of its own.

Sources: the reference's section 1.3 (`blocksize` makes requests 1.6 times as fast as curl); tcp(7)
and the kernel's `tcp_notsent_lowat`; python's `socket.sendall`, whose timeout covers the whole
call; requests' `trust_env`, which would replace our Authorization by what `~/.netrc` says.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any, Final

from kitline.store.registry.light_requests import (
    HTTPConnection,
    HTTPConnectionPool,
    HTTPSConnection,
    HTTPSConnectionPool,
    requests,
)

if TYPE_CHECKING:
    from kitline.store.registry.reach import Reach

BLOCK_SIZE = 1 << 20
"""Most bytes handed to the socket at once: at one per `read_timeout` the link is dead."""
UNSENT_AT_MOST = 128 << 10
"""Bytes that may wait in the kernel for the peer's window to open. What waits there is sent by
whoever handles the peer's acknowledgement, on a loopback registry that registry's own processor."""
_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    *(
        [(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_AT_MOST)]
        if hasattr(socket, "TCP_NOTSENT_LOWAT")
        else []
    ),
]
_CONNECTIONS: Final[dict[str, Any]] = {
    "blocksize": BLOCK_SIZE,
    "socket_options": _SOCKET_OPTIONS,
}


class Adapter(requests.adapters.HTTPAdapter):
    """Sends bodies in large blocks; each block has `send_timeout` seconds to leave."""

    def __init__(
        self, *, connections: int, send_timeout: float, reach: Reach | None = None
    ) -> None:
        self._pools = _pools(send_timeout, reach)
        self._proxy_pools = _pools(send_timeout, None)  # what a proxy reaches is its own affair
        super().__init__(
            # A pool that blocks would wait for ever where a thread reads one blob of a
            # registry while it writes another.
            pool_connections=4,
            pool_maxsize=2 * connections + 2,
            pool_block=False,
            max_retries=0,
        )

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **(settings | _CONNECTIONS))
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **(settings | _CONNECTIONS))
        manager.pool_classes_by_scheme = self._proxy_pools
        return manager


def _pools(send_timeout: float, reach: Reach | None) -> dict[str, type[HTTPConnectionPool]]:
    """Return connection pools whose writes do not run under the short timeout for connecting."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            if reach is not None:
                reach.check(self.host, self.port, connection)
            return connection

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(send_timeout)
            super().send(data)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            if reach is not None:
                reach.check(self.host, self.port, connection)
            return connection

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(send_timeout)
            super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def furnish(
    session: requests.Session, *, connections: int, timeout: float, reach: Reach | None = None
) -> None:
    """Fit a session with our adapter, and keep `~/.netrc` out of it."""
    session.auth = _unchanged
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter(connections=connections, send_timeout=timeout, reach=reach))


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def is_loopback(host: str) -> bool:
    """Tell whether a host name (no port, no brackets) can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxies_for(host: str) -> dict[str, str]:
    """Return settings that keep loopback away from proxies; empty: as the environment says."""
    return {"http": "", "https": "", "all": ""} if is_loopback(host) else {}
