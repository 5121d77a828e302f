"""Scopes: which actions in which repository a token is asked for, `repository:NAME:pull,push`.

Source: distribution's token specification, "Requesting a Token", and its scope grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable


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

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read one scope; a text of another form (public.ecr.aws says `aws`) is kept as it is."""
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        if not (kind and name and colon):
            return cls(kind="", name=text, actions=frozenset())
        return cls(kind=kind, name=name, actions=frozenset(filter(None, actions.split(","))))

    def includes(self, other: Scope) -> bool:
        """Tell whether `other` asks for nothing more."""
        same = (self.kind, self.name) == (other.kind, other.name)
        return same and ("*" in self.actions or other.actions <= self.actions)

    def __str__(self) -> str:
        return (
            f"{self.kind}:{self.name}:{','.join(sorted(self.actions))}" if self.kind else self.name
        )


def join_scopes(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return the scopes sorted, each resource once with all its actions."""
    actions: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        resource = (scope.kind, scope.name)
        actions[resource] = actions.get(resource, frozenset()) | scope.actions
    return tuple(
        Scope(kind=kind, name=name, actions=actions[kind, name]) for kind, name in sorted(actions)
    )
