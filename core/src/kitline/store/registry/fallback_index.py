"""The fallback index: how other tools find referrers where a registry lacks the referrers API.

Nobody offers compare-and-swap, so writers lose each other's entries. Every writer here has tagged
its referrer before, and leaves only when the index holds all that is tagged: whoever writes last
therefore brings back what others lost.

Source: OCI distribution specification, "Referrers Tag Schema".
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDescriptor, KitlineError, RegistryError, VerificationError
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.json import encode
from kitline.oci.manifest import SIZE_LIMIT, Manifest
from kitline.store.registry.manifests import find_bytes, put_manifest
from kitline.store.registry.referrer_entries import (
    check_candidate,
    entry_of,
    read_digests,
    read_entries,
    read_object,
    tagged_digests,
)
from kitline.store.registry.referrer_tags import fallback_tag
from kitline.store.registry.tags import find_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.oci.digest import Digest
    from kitline.store.registry.client import RegistryClient

ROUNDS = 10
"""How often a lost entry is written again."""


def enter_fallback(client: RegistryClient, subject: Digest, manifest: Manifest) -> None:
    """Add to the fallback index what other tools look for: this manifest, and lost ones too."""
    tag = fallback_tag(subject)
    for number in range(ROUNDS):
        fields = read_fallback(client, subject)
        if fields and not isinstance(fields.get("manifests"), list):
            raise RegistryError(f"tag {tag!r} holds something else than an index", status=409)
        entries = [entry for entry in read_entries(fields) if _is_readable(entry)]
        missing = _missing(client, subject, manifest, set(read_digests(entries)))
        if not missing:
            return
        pause(number)
        put_manifest(client, Manifest.from_bytes(_index_bytes(fields, entries, missing)), tag)
    if manifest.digest not in read_digests(read_entries(read_fallback(client, subject))):
        raise RegistryError(
            f"attach {manifest.digest} to {subject}: other writers keep replacing the list of"
            f" referrers (tag {tag!r}); the referrer itself is stored, so push it once more"
        )


def heal_fallback(client: RegistryClient, subject: Digest, lost: Sequence[Descriptor]) -> None:
    """Put back what the fallback index has lost, if this reader may: one write, tried once.

    What refuses it is no error, and nothing is tried again with this client then. A tag that holds
    something else than a readable index is left alone.
    """
    if not client.healing.acquire(blocking=False):
        return
    with suppress(KitlineError):
        fields = read_fallback(client, subject)
        entries = read_entries(fields)
        is_index = isinstance(fields.get("manifests"), list) and all(map(_is_readable, entries))
        if is_index or find_tag(client, fallback_tag(subject)) is None:
            known = set(read_digests(entries))
            missing = [each for each in lost if each.digest not in known]
            index = _index_bytes(fields, entries, missing)
            if missing and len(index) <= SIZE_LIMIT:
                put_manifest(client, Manifest.from_bytes(index), fallback_tag(subject), tries=1)
        client.healing.release()


def _index_bytes(
    fields: dict[str, Any], entries: list[dict[str, object]], missing: Sequence[Descriptor]
) -> bytes:
    """Return the index with more entries; foreign fields survive."""
    fields = {"schemaVersion": 2, "mediaType": media_types.IMAGE_INDEX, **fields}
    fields["manifests"] = [*entries, *(each.to_json() for each in missing)]
    return encode(fields)


def _missing(
    client: RegistryClient, subject: Digest, manifest: Manifest, known: set[Digest]
) -> list[Descriptor]:
    """Return what the index lacks: `manifest` and tagged referrers of trust types."""
    missing = {} if manifest.digest in known else {manifest.digest: entry_of(manifest)}
    for digest in tagged_digests(client, subject, known=known | {manifest.digest}):
        entry = check_candidate(client, subject, digest)
        if entry is not None and entry.artifact_type in media_types.TRUST_TYPES:
            missing[digest] = entry
    return list(missing.values())


def _is_readable(entry: dict[str, object]) -> bool:
    try:
        Descriptor.from_json(entry)
    except InvalidDescriptor:
        return False
    return True


def read_fallback(client: RegistryClient, subject: Digest) -> dict[str, Any]:
    """Return the fallback index as it is, so that foreign fields survive; empty for none."""
    try:
        found = find_bytes(client, fallback_tag(subject))
    except VerificationError:
        return {}
    return read_object(found[0]) if found else {}


def pause(number: int) -> None:
    """Step aside for other writers, longer each time."""
    if number:
        time.sleep(random.uniform(0.0, 0.1 * number))
