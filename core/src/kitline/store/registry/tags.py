"""Tags: read once, moved with a look before and after, listed page by page.

Source: OCI distribution specification, "Pushing Manifests" and "Listing Tags". Nobody offers
compare-and-swap, so a tag is read back after it was set.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.errors import (
    ManifestNotFound,
    ReferenceMoved,
    RegistryError,
    StoreError,
    TagConflict,
    VerificationError,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.json import decode
from kitline.oci.reference import check_tag
from kitline.store.registry.manifests import (
    ACCEPT,
    content_type,
    find_manifest,
    put_manifest,
    stated_digest,
)
from kitline.store.registry.origin import Origin, follow

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.store.registry.client import RegistryClient

PAGE = 1000
_MOST_PAGES = 10_000
_MOST_TAGS = 2_000_000
_NEXT = r'(?i)<([^<>]*)>[^,<]*;\s*rel="?next"?(?:[;,\s]|$)'
_IMMUTABLE = ("immutable", "tag_invalid", "overwrite", "already exists", "cannot be modified")


def find_tag(client: RegistryClient, tag: str) -> Descriptor | None:
    """Return the descriptor that a tag points at now, or None."""
    check_tag(tag)
    response = client.send(
        "HEAD",
        client.url(f"manifests/{tag}"),
        f"look up tag {tag!r} of {client.registry}/{client.repository}",
        expect={200, 404, 405},
        scopes=client.scope("pull"),
        headers=ACCEPT,
    )
    if response.status_code == 404:
        return None
    digest, media_type = stated_digest(response), content_type(response)
    size = response.headers.get("Content-Length", "")
    if digest is not None and media_type in ACCEPT["Accept"].split(", ") and size.isdigit():
        return Descriptor(media_type=media_type, digest=digest, size=int(size))
    manifest = find_manifest(client, tag)
    return manifest.descriptor if manifest else None


def set_tag(
    client: RegistryClient, tag: str, manifest: Manifest, *, may_move: bool, is_new: bool = False
) -> Digest | None:
    """Point a tag at a manifest; see `Tagger.set_tag`.

    `is_new` says that it is a keep tag, not there yet: whatever else it points at is wrong.
    """
    before = None if is_new else _digest_of(client, tag)
    if before == manifest.digest:
        return before
    name = f"{tag!r} of '{client.registry}/{client.repository}'"
    if before is not None and not may_move:
        raise TagConflict(
            f"tag {name} points at {before} and may not move to {manifest.digest};"
            " use another tag or allow the move"
        )
    try:
        put_manifest(client, manifest, tag)
    except RegistryError as error:
        is_refused = error.status in (400, 403, 409, 412)
        if (is_new or is_refused) and _is_at(client, tag, manifest.digest):
            return manifest.digest  # somebody else was faster
        if is_refused and _says_immutable(error):
            raise TagConflict(
                f"tag {name}: the registry does not let it move from {before} to"
                f" {manifest.digest} (tag immutability is switched on there): {error}"
            ) from error
        if error.status == 404 or error.code == "MANIFEST_UNKNOWN":
            raise ManifestNotFound(f"tag {name}: {error}") from error
        raise
    after = manifest.digest if is_new else _digest_of(client, tag)
    if after != manifest.digest:
        raise ReferenceMoved(
            f"tag {name}: set to {manifest.digest}, but it points at"
            f" {after or 'nothing'} now; somebody else moved it at the same time"
        )
    return before


def _digest_of(client: RegistryClient, tag: str) -> Digest | None:
    found = find_tag(client, tag)
    return found.digest if found else None


def _is_at(client: RegistryClient, tag: str, digest: Digest) -> bool:
    with suppress(StoreError, VerificationError):
        return _digest_of(client, tag) == digest
    return False


def _says_immutable(error: RegistryError) -> bool:
    words = f"{error.code} {error}".lower()
    return any(word in words for word in _IMMUTABLE) or error.status in (409, 412)


def list_tags(client: RegistryClient, *, prefix: str) -> tuple[str, ...]:
    """Return all tags that begin with `prefix`, sorted."""
    if prefix:
        found = _pages(client, prefix, last=_before(prefix))
        if found is not None:
            return found
    return _pages(client, prefix, last=None) or ()


def _before(prefix: str) -> str | None:
    """Return a text that sorts just before all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) - 1) + "~" if prefix[-1] > "-" else None


def _pages(client: RegistryClient, prefix: str, last: str | None) -> tuple[str, ...] | None:
    """Read pages; with `last` stop behind the prefix, and return None where that is no use."""
    url: str | None = client.url("tags/list", n=PAGE, **({"last": last} if last else {}))
    found: set[str] = set()
    seen: set[str] = set()
    while url is not None:
        if url in seen or len(seen) >= _MOST_PAGES or len(found) > _MOST_TAGS:
            raise RegistryError(f"list tags of {client.repository}: the pages never end")
        seen.add(url)
        response = client.send(
            "GET",
            url,
            f"list tags of {client.registry}/{client.repository}",
            expect={200, 404},
            scopes=client.scope("pull"),
        )
        if response.status_code == 404:
            return tuple(sorted(found))
        tags = _tags(response.content)
        found.update(tag for tag in tags if tag.startswith(prefix))
        if last is not None and (past := [t for t in tags if not t.startswith(prefix)]):
            # Sorted as asked: what follows is foreign. Otherwise `last` meant nothing there.
            return tuple(sorted(found)) if _is_sorted(tags, last, past) else None
        if last is not None and not tags:
            return None  # nothing behind `last`, or another order than that of bytes
        url = next_page(client, url, response.headers.get("Link", ""))
    return tuple(sorted(found))


def _is_sorted(tags: list[str], last: str, past: list[str]) -> bool:
    return tags == sorted(tags) and tags[0] > last and past == tags[len(tags) - len(past) :]


def _tags(raw: bytes) -> list[str]:
    try:
        found = decode(raw, limit=len(raw))
        tags = found.get("tags") or []
        assert isinstance(tags, list)
    except (ValueError, AttributeError, AssertionError) as cause:
        raise RegistryError("list tags: the registry's answer is no list of tags") from cause
    return [tag for tag in tags if isinstance(tag, str)]


def next_page(client: RegistryClient, url: str, link: str) -> str | None:
    """Return the address of the next page in a Link header, None at the last."""
    found = re.search(_NEXT, link)
    if found is None:
        return None
    following = follow(url, found[1])
    if Origin.of(following) != client.origin:
        raise RegistryError("list: the next page lies on another server; not followed")
    return following
