"""Registrations: the version of a registered model that is asked for, checked beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kitline.errors import UsageError

from kitline_mlflow.aliases import RULE, is_alias

if TYPE_CHECKING:
    from collections.abc import Iterable

RegisterAs = Literal["model", "modelkit", "pointer"]
KINDS: tuple[RegisterAs, ...] = ("model", "modelkit", "pointer")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A version that was asked for; none if there is no `name`."""

    name: str | None = None
    kind: RegisterAs = "model"
    aliases: tuple[str, ...] = ()

    @classmethod
    def read(cls, name: str | None, register_as: str, aliases: Iterable[str]) -> Registration:
        """Check what can be checked before anything is made.

        Raises:
            UsageError: naming what MLflow would refuse in the end.
        """
        listed = (aliases,) if isinstance(aliases, str) else tuple(aliases)
        if name is None and listed:
            raise UsageError("aliases belong to a registered model; give registered_model_name")
        if name is not None and (not name or set(name) & set("/:")):
            raise UsageError(f"registered_model_name {name!r} is empty or holds '/' or ':'")
        for alias in listed:
            if not is_alias(alias):
                raise UsageError(f"alias {alias!r} is none that MLflow takes: {RULE}")
        return cls(name=name, kind=known_kind(register_as), aliases=listed)


def known_kind(register_as: str) -> RegisterAs:
    """Return `register_as`, or refuse it."""
    for kind in KINDS:
        if kind == register_as:
            return kind
    raise UsageError(f"register_as is {register_as!r}, not one of {', '.join(KINDS)}")
