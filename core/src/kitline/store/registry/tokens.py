"""Tokens: those that a registry gave, kept by scope for as long as they last.

Source: distribution's token specification, "Token Response Fields".
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.store.registry.scopes import Scope

_SHORTEST, _LONGEST, _UNSTATED = 10.0, 3600.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Token:
    """A Bearer token and what it was asked for; `stale_at` is a monotonic time in seconds."""

    value: str = field(repr=False)
    scopes: tuple[Scope, ...]
    stale_at: float

    def covers(self, needed: Sequence[Scope]) -> bool:
        """Tell whether it was asked for all of `needed`."""
        return all(any(held.includes(scope) for held in self.scopes) for scope in needed)


class TokenCache:
    """The tokens of one registry; the caller holds the lock."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[Scope, ...], Token] = {}

    def find(self, needed: Sequence[Scope], now: float) -> Token | None:
        """Return a token that covers `needed` and is not about to run out."""
        for scopes in [key for key, token in self._tokens.items() if token.stale_at <= now]:
            del self._tokens[scopes]
        usable = (token for token in self._tokens.values() if token.covers(needed))
        return max(usable, key=lambda token: token.stale_at, default=None)

    def keep(self, token: Token) -> None:
        """Remember a token in the place of an older one for the same scopes."""
        self._tokens[token.scopes] = token

    def drop(self, value: str) -> None:
        """Forget a token that the registry refused."""
        self._tokens = {key: token for key, token in self._tokens.items() if token.value != value}

    def clear(self) -> None:
        """Forget all."""
        self._tokens.clear()


def stale_after(expires_in: object) -> float:
    """Return for how many seconds a token is used, from the `expires_in` of its answer.

    A statement outside of 10 s to 1 h is not believed (olareg states nanoseconds) and counts as
    none, which means 60 s. The last quarter of a short life, or 30 s, is left unused, so that a
    request is not under way when it ends.
    """
    seconds = _UNSTATED
    if isinstance(expires_in, int | float) and not isinstance(expires_in, bool):
        stated = float(expires_in) if abs(expires_in) < 1e18 else math.inf
        seconds = stated if _SHORTEST <= stated <= _LONGEST else _UNSTATED
    return seconds - min(30.0, seconds / 4)
