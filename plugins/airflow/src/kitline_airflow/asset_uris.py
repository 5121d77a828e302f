"""`modelkit://registry/repository`: the asset of one repository, whichever digest is named.

`?tag=…` or `?stage=…` behind it is the asset of what moves that name.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit

from kitline.errors import InvalidReference

SCHEME = "modelkit"


def normalise(parts: SplitResult) -> SplitResult:
    """Return the one spelling of an asset: registry in lower case, no user, tag or digest.

    Raises:
        ValueError: if it names no registry and repository.
    """
    from kitline.plugin import Reference

    registry = parts.netloc.rpartition("@")[2].lower()
    path = parts.path.strip("/")
    if not registry or not path:
        raise ValueError(
            f"asset {SCHEME}://{registry}/{path} names no repository;"
            f" write '{SCHEME}://registry/repository'"
        )
    try:
        found = Reference.parse(f"{registry}/{path}")
    except InvalidReference as cause:
        raise ValueError(f"asset {SCHEME}://{registry}/{path}: {cause}") from cause
    if found.registry is None:
        raise ValueError(f"asset: {registry!r} is no registry; write 'host:port' or 'host.domain'")
    return SplitResult(SCHEME, found.registry, f"/{found.repository}", _moves(parts.query), "")


def _moves(query: str) -> str:
    """Keep the one word of a query that means something: `tag` or `stage`."""
    found = parse_qs(query)
    kept = [(name, found[name][0]) for name in ("stage", "tag") if found.get(name)]
    return urlencode(kept[:1])


def asset_uri(repository: str, **moves: str) -> str:
    """Return the URI of a repository, `registry/repository`; a tag or digest is left away.

    `tag=` or `stage=` give the URI of what moves that name.

    Raises:
        ValueError: if it is none.
    """
    text = repository.removeprefix(f"{SCHEME}://").removeprefix("oci://")
    return normalise(urlsplit(f"{SCHEME}://{text}?{urlencode(moves)}")).geturl()


def repository_of(uri: str) -> str | None:
    """Return `registry/repository` of an asset's URI, None if it is of another scheme."""
    parts = urlsplit(uri)
    if parts.scheme != SCHEME:
        return None
    found = normalise(parts)
    return f"{found.netloc}{found.path}"
