"""Inputs: how tasks name kits to each other, as one text or as repository and digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kitline.errors import UsageError


def read_reference(given: object, repository: object = None, digest: object = None) -> str:
    """Return the reference of a kit from what a task was given.

    `given` is a text, or what our operators and events hold: an object with `reference` in it. Else
    `repository` and `digest` are taken together.

    Raises:
        UsageError: if neither or both are there, or one is malformed.
    """
    if isinstance(given, Mapping):
        given = given.get("reference") or given
    if given and (repository or digest):
        raise UsageError("give either 'reference', or 'repository' and 'digest'")
    if given:
        if not isinstance(given, str):
            raise UsageError(f"reference {given!r} is not a text; pass what the task returned")
        return given.strip()
    if not (repository and digest):
        missing = "digest" if repository else "reference"
        raise UsageError(
            f"'{missing}' is empty; give 'reference', or 'repository' and 'digest',"
            " such as what a task before this one returned"
        )
    if not isinstance(repository, str) or not isinstance(digest, str):
        raise UsageError(f"repository {repository!r} and digest {digest!r} are to be texts")
    return f"{repository.strip()}@{digest.strip()}"


def read_name(to: object, repository: object = None, tag: object = None) -> str:
    """Return the name of a kit that is to be made: `to`, or `repository` and `tag`.

    Raises:
        UsageError: if neither or both are there.
    """
    if to and (repository or tag):
        raise UsageError("give either 'to', or 'repository' and 'tag'")
    if to:
        return str(to)
    if not repository:
        raise UsageError("'to' is empty; name the kit: 'registry/repository:tag'")
    return f"{repository}:{tag}" if tag else str(repository)


def texts_of(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Return options of an importer or exporter as the texts that they are to kitline."""
    return {
        str(key): value if isinstance(value, str) else _text(value)
        for key, value in (options or {}).items()
        if value is not None
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    """Return options as words of a command line."""
    return [word for key, value in values.items() for word in (flag, f"{key}={value}")]


def repeated(flag: str, values: list[str]) -> list[str]:
    """Return a repeatable option as words of a command line."""
    return [word for value in values for word in (flag, value)]
