"""Options: how one registry is spoken to, as one frozen value."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.store.registry.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a request is tried and how long to wait between (full jitter, seconds)."""

    tries: int = 5
    least: float = 0.2
    most: float = 3.0
    longest_wait: float = 120.0
    """A registry that asks for a longer pause than this (`Retry-After`) is given up on."""


@dataclass(frozen=True, kw_only=True)
class RegistryOptions:
    """How to reach a registry; timeouts are seconds, sizes bytes."""

    plain_http: bool | None = None
    """True: plain HTTP; False: TLS; None: plain HTTP on loopback only."""
    trusted: tuple[str, ...] | None = None
    """Registries that may have private addresses; all else must be public. None: go anywhere."""
    insecure: bool = False
    """Accept any TLS certificate."""
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    journal: Path | None = None
    """Folder that remembers unfinished uploads; None: they are resumed within one call only."""
    concurrency: int = 4
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    """For each read and each write on the socket, not for a whole blob."""
    retry: RetryPolicy = RetryPolicy()
    sessions: Sessions | None = field(default=None, repr=False, compare=False)
    """Where connections and tokens are kept for the next store; None: they end with the store."""
    hash_first: bool | None = None
    """Hash a blob before sending it; None: only where the registry needs it (`limits`)."""
    chunk_size: int | None = None
    """Send uploads in PATCHes of this size; None: one, or what the registry needs."""
