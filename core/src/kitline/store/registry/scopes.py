"""Scopes: which actions in which repository a token is asked for, `repository:NAME:pull,push`.

Source: distribution's token specification, "Requesting a Token", and its scope grammar.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, kw_only=True)
class Scope:
    """Some actions on one resource, nearly always a repository."""

    kind: str = "repository"
    name: str
    actions: frozenset[str]

    @classmethod
    def of(cls, repository: str, *actions: str) -> Scope:
        """Return the scope of `actions` (`pull`, `push`, `delete`) in `repository`."""
        return cls(name=repository, actions=frozenset(actions))

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(sorted(self.actions))}"
