"""The catalog: which repositories a registry holds, where it tells.

Many do not: hosted ones refuse, some lack it. Source: distribution's API, "Listing Repositories";
the OCI specification has no such thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import AccessDenied, AuthenticationFailed, InvalidReference, RegistryError
from kitline.oci.json import decode
from kitline.oci.reference import Reference
from kitline.store.registry.scopes import Scope
from kitline.store.registry.tags import next_page

if TYPE_CHECKING:
    from kitline.store.registry.client import RegistryClient

PAGE = 1000
_MOST_PAGES = 1000
_SCOPE = Scope(kind="registry", name="catalog", actions=frozenset({"*"}))


def list_repositories(client: RegistryClient) -> tuple[str, ...]:
    """Return the repositories of a registry, sorted, without its name.

    Raises:
        RegistryError: if the registry does not tell; the message says what to do.
    """
    what = f"list the repositories of {client.registry}"
    url: str | None = f"{client.origin}/v2/_catalog?n={PAGE}"
    found: set[str] = set()
    seen: set[str] = set()
    while url is not None and url not in seen and len(seen) < _MOST_PAGES:
        seen.add(url)
        try:
            response = client.send("GET", url, what, expect={200}, scopes=(_SCOPE,))
        except (AuthenticationFailed, AccessDenied, RegistryError) as cause:
            raise RegistryError(
                f"{what}: it does not tell ({cause.status or 'refused'}); name each repository"
                " instead of a pattern",
                status=cause.status,
                code=cause.code,
            ) from cause
        found.update(_names(response.content, client.registry))
        url = next_page(client, url, response.headers.get("Link", ""))
    return tuple(sorted(found))


def _names(raw: bytes, registry: str) -> list[str]:
    """Read one page; what cannot be a repository is left out."""
    try:
        fields = decode(raw, limit=len(raw))
    except ValueError as cause:
        raise RegistryError(f"list the repositories of {registry}: the answer is none") from cause
    listed = fields.get("repositories") if isinstance(fields, dict) else None
    names = listed if isinstance(listed, list) else []
    return [name for name in names if isinstance(name, str) and _is_repository(registry, name)]


def _is_repository(registry: str, name: str) -> bool:
    try:
        Reference(registry=registry, repository=name)
    except InvalidReference:
        return False
    return True
