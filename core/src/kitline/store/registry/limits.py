"""Limits: what single registries document about blobs, known before the first byte is sent.

Sources: GitHub packages documentation ("10 GB size limit for each layer"); Amazon ECR quotas
("Layer part size", "Maximum layer size: 52,000 MiB"); kit 1.15.0 and oras-py #137 for the way of
uploading. A registry that is not named here is taken to follow the specification.
"""

from __future__ import annotations

import re

from kitline.errors import LayerTooLarge
from kitline.frozen import dataclass

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a registry takes."""

    layer: int | None = None
    """Largest blob in bytes."""
    monolithic: bool = False
    """Takes a blob only in one PUT, so its digest must be known first."""
    single: int | None = None
    """Largest body of one request in bytes; larger blobs go in chunks."""
    chunk: int = 1 * GIB
    """Size of those chunks."""


_KNOWN: tuple[tuple[re.Pattern[str], Limits], ...] = (
    (re.compile(r"ghcr\.io\Z"), Limits(layer=10 * GIB, monolithic=True)),
    (re.compile(r"(?:.+\.)?(?:gcr\.io|pkg\.dev)\Z"), Limits(monolithic=True)),
    (
        re.compile(r"(?:.+\.dkr\.ecr(?:-fips)?\..+|public\.ecr\.aws)\Z"),
        Limits(layer=52_000 << 20, monolithic=True),
    ),
    (re.compile(r"quay\.io\Z"), Limits(single=20 * 10**9)),
)


def limits_of(registry: str) -> Limits:
    """Return what is known about a registry (`host[:port]`)."""
    host = registry.rpartition(":")[0] if ":" in registry else registry
    for pattern, limits in _KNOWN:
        if pattern.match(host or registry):
            return limits
    return Limits()


def check_size(registry: str, limits: Limits, size: int, name: str) -> None:
    """Refuse a blob that the registry will not take.

    Raises:
        LayerTooLarge: with what to do about it.
    """
    if limits.layer is not None and size > limits.layer:
        raise LayerTooLarge(
            f"push {name}: {size} bytes are more than the {limits.layer} that {registry} takes in"
            " one layer; split it: list its files as parts in the Kitfile, one layer each, or"
            " save the model in smaller shards"
        )
