"""Sessions: connections and tokens that outlive one operation, for programs that ask often.

A scheduler that looks at hundreds of tags once a minute would otherwise connect, and ask for a
token, each time.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kitline.store.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Hashable

    import requests

    from kitline.store.registry.auth import RegistryAuth


class Sessions(Closing):
    """Give it as `Settings.sessions`; safe for many threads, a context manager that closes.

    It holds what one set of credentials opened: never use one for two users of a registry.
    `connections` is how many threads may ask at the same time without connecting anew.
    """

    def __init__(self, *, connections: int = 4) -> None:
        self.connections = connections
        self._lock = threading.Lock()
        self._sessions: dict[Hashable, requests.Session] = {}
        self._authorities: dict[Hashable, RegistryAuth] = {}

    def session(self, key: Hashable, made: requests.Session) -> requests.Session:
        """Return the session kept under `key`; `made` is kept if there is none."""
        with self._lock:
            return self._sessions.setdefault(key, made)

    def authority(self, key: Hashable, made: RegistryAuth) -> RegistryAuth:
        """Return who keeps the tokens under `key`; `made` is kept if there is nobody."""
        with self._lock:
            return self._authorities.setdefault(key, made)

    def close(self) -> None:
        """Give up all connections and forget all tokens."""
        with self._lock:
            sessions, self._sessions, self._authorities = self._sessions, {}, {}
        for each in sessions.values():
            each.close()
