"""YAML that comes with a model: small files, read as data, by safe YAML with a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

if TYPE_CHECKING:
    from kitline.plugin import Entry

LIMIT = 4 << 20
"""Most bytes of an MLmodel; signatures and input schemas stay far below."""


def read_small(entry: Entry, limit: int, what: str) -> bytes:
    """Return the content of a file.

    Raises:
        SourceError: if it is larger than `limit` bytes.
    """
    if entry.open is None:
        raise SourceError(f"{what} is no file")
    with entry.open(0) as stream:
        content = bytearray()
        chunk = memoryview(bytearray(1 << 16))
        while len(content) <= limit and (count := stream.readinto(chunk)):
            content += chunk[:count]
    if len(content) > limit:
        raise SourceError(f"{what} is larger than {limit} bytes")
    return bytes(content)


def read_yaml(text: bytes, what: str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        SourceError: if it is too large, no YAML, or something else.
    """
    import yaml

    if len(text) > LIMIT:
        raise SourceError(f"{what} is larger than {LIMIT} bytes")
    try:
        parsed = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as cause:
        raise SourceError(f"{what} is not YAML: {' '.join(str(cause).split())}") from cause
    if not isinstance(parsed, dict):
        raise SourceError(f"{what} is not a mapping")
    return parsed


def read_flavors(text: bytes, what: str) -> dict[str, Any]:
    """Return what an MLmodel says, `flavors` among it.

    Raises:
        SourceError: if it is not what MLflow writes.
    """
    parsed = read_yaml(text, what)
    if not isinstance(parsed.get("flavors"), dict) or not parsed["flavors"]:
        raise SourceError(f"{what} names no flavor")
    return parsed
