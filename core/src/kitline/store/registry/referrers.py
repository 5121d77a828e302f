"""Referrers: manifests about a manifest, written so that no list can lose them.

A referrer is stored by digest, under a tag of its own (append only, nobody overwrites it), and,
where the registry lacks the referrers API and other tools look for it, in the fallback index.
Reading merges all three. Entries are hints: each manifest is fetched and checked.

Source: OCI distribution specification, "Listing Referrers" and "Pushing Manifests with Subject";
losses between parallel writers and their healing are measured in the reference, section 10.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kitline.errors import RegistryError
from kitline.oci import media_types
from kitline.store.registry.fallback_index import (
    ROUNDS,
    enter_fallback,
    heal_fallback,
    pause,
    read_fallback,
)
from kitline.store.registry.manifests import put_manifest
from kitline.store.registry.referrer_entries import (
    LIST_LIMIT,
    MOST,
    check_candidates,
    may_be_of,
    read_digests,
    read_entries,
    read_object,
    read_tagged,
)
from kitline.store.registry.referrer_tags import fallback_tag, referrer_tag
from kitline.store.registry.tags import find_tag, next_page

if TYPE_CHECKING:
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.store.registry.client import RegistryClient

__all__ = ["fallback_tag", "list_referrers", "push_referrer", "referrer_tag"]

_log = logging.getLogger(__name__)


def push_referrer(client: RegistryClient, manifest: Manifest) -> None:
    """Store a manifest with a subject so that `list_referrers` and other tools find it."""
    assert manifest.subject is not None
    subject = manifest.subject.digest
    response = put_manifest(client, manifest, str(manifest.digest))
    # an edge or a promotion is found by its tag; looking for it among thousands would cost more
    has_api = "OCI-Subject" in response.headers and manifest.kind not in media_types.HISTORY_TYPES
    tag = referrer_tag(subject, manifest)
    found = find_tag(client, tag)
    if found is None or found.digest != manifest.digest:
        put_manifest(client, manifest, tag)
    if has_api and _heal_api(client, subject, manifest) is not None:
        return
    if manifest.kind in media_types.TRUST_TYPES:
        try:
            enter_fallback(client, subject, manifest)
        except RegistryError as refused:
            if refused.status is None:
                raise
            # Immutable tags: the list cannot grow, but the referrer's own tag is there.
            _log.warning("%s is not in the list that other tools read: %s", tag, refused)


def _heal_api(client: RegistryClient, subject: Digest, manifest: Manifest) -> bool | None:
    """Put the manifest again until the API lists it; None if there is no API after all."""
    for number in range(ROUNDS):
        entries = list_api_entries(client, subject)
        if entries is None:
            return None
        if any(entry.get("digest") == str(manifest.digest) for entry in entries):
            return True
        pause(number)
        put_manifest(client, manifest, str(manifest.digest))
    return False


def list_referrers(
    client: RegistryClient, subject: Digest, *, artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return the checked referrers of a manifest, sorted by digest.

    Where the fallback index is what other tools read, it gets back what only its tag still names.
    Thousands of referrers of one type, such as derived edges, are not read for another one.
    """
    fallback = read_entries(read_fallback(client, subject))
    listed = list_api_entries(client, subject, artifact_type=artifact_type)
    entries = [each for each in fallback + (listed or []) if may_be_of(each, artifact_type)]
    candidates = read_digests(entries, about=subject)[:MOST]
    found = check_candidates(client, subject, candidates)
    # Only what was checked spares the look at its tag: an entry may name what is not there.
    found |= read_tagged(client, subject, artifact_type=artifact_type, known=found)
    if listed is None:
        known = set(read_digests(fallback))
        trusted = [e for e in found.values() if e.artifact_type in media_types.TRUST_TYPES]
        if lost := [each for each in trusted if each.digest not in known]:
            heal_fallback(client, subject, lost)
    return tuple(
        found[digest]
        for digest in sorted(found)
        if artifact_type in (None, found[digest].artifact_type)
    )


def list_api_entries(
    client: RegistryClient, subject: Digest, *, artifact_type: str | None = None
) -> list[dict[str, object]] | None:
    """Read all pages of the referrers API; None if the registry has none.

    Only where there may be thousands is the registry asked for one type alone: a list that was
    filtered by a registry cannot be checked.
    """
    found: list[dict[str, object]] = []
    asked = {"artifactType": artifact_type} if artifact_type in media_types.HISTORY_TYPES else {}
    url: str | None = client.url(f"referrers/{subject}", **asked)
    seen: set[str] = set()
    while url is not None and url not in seen and len(found) < MOST:
        seen.add(url)
        response = client.send(
            "GET",
            url,
            f"list referrers of {subject} in {client.registry}/{client.repository}",
            expect={200, 400, 404, 405, 406, 501},
            scopes=client.scope("pull"),
            headers={"Accept": media_types.IMAGE_INDEX},
            limit=LIST_LIMIT,
        )
        if response.status_code != 200:
            return found or None
        if "json" not in response.headers.get("Content-Type", ""):
            return None
        found.extend(read_entries(read_object(response.content, limit=LIST_LIMIT)))
        url = next_page(client, url, response.headers.get("Link", ""))
    return found
