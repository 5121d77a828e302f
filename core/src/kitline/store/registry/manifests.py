"""Manifests in a registry: read by digest and verified, written as the bytes that they are.

Source: OCI distribution specification, "Pulling manifests", "Pushing Manifests".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import DigestMismatch, InvalidDigest, InvalidManifest, MalformedContent
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.manifest import SIZE_LIMIT, Manifest

if TYPE_CHECKING:
    import requests

    from kitline.store.registry.client import RegistryClient

ACCEPT = {"Accept": ", ".join((*media_types.MANIFESTS, *media_types.INDEXES))}
"""Concrete types: some registries answer 404 to `*/*`, others convert what they hold."""
DIGEST_HEADER = "Docker-Content-Digest"


def find_manifest(client: RegistryClient, name: Digest | str) -> Manifest | None:
    """Return the manifest under a digest or a tag, its bytes verified; None if there is none."""
    found = find_bytes(client, name)
    if found is None:
        return None
    try:
        return Manifest.from_bytes(found[0], media_type=found[1])
    except InvalidManifest as cause:
        where = f"{client.registry}/{client.repository}"
        raise InvalidManifest(f"read manifest {name} of {where}: {cause}") from cause


def find_bytes(client: RegistryClient, name: Digest | str) -> tuple[bytes, str | None] | None:
    """Return the verified bytes under a digest or a tag, and the media type stated for them."""
    what = f"read manifest {name} of {client.registry}/{client.repository}"
    response = client.send(
        "GET",
        client.url(f"manifests/{name}"),
        what,
        expect={200, 404},
        scopes=client.scope("pull"),
        headers=ACCEPT,
        limit=SIZE_LIMIT,
    )
    if response.status_code == 404:
        return None
    raw = response.content
    _check(raw, name, response, what)
    return raw, content_type(response)


def _check(raw: bytes, name: Digest | str, response: requests.Response, what: str) -> None:
    """Compare bytes, the digest that they were asked by, and the one that the registry states."""
    if isinstance(name, Digest) and not name.matches(raw):
        raise DigestMismatch(what, expected=str(name), actual=str(Digest.of(raw)))
    stated = stated_digest(response)
    if stated is not None and not stated.matches(raw):
        raise DigestMismatch(
            f"{what}: the registry states another digest than its bytes have",
            expected=str(stated),
            actual=str(Digest.of(raw)),
        )


def has_manifest(client: RegistryClient, digest: Digest) -> bool:
    """Tell whether the repository holds a manifest, so that it need not be sent again."""
    response = client.send(
        "HEAD",
        client.url(f"manifests/{digest}"),
        f"look up manifest {digest} of {client.registry}/{client.repository}",
        expect={200, 404, 405},
        scopes=client.scope("pull", "push"),
        headers=ACCEPT,
    )
    return response.status_code == 200 and stated_digest(response) in (None, digest)


def put_manifest(
    client: RegistryClient, manifest: Manifest, name: str, *, tries: int | None = None
) -> requests.Response:
    """Store a manifest under its digest or a tag; the registry must have understood the same."""
    what = f"push manifest {name} to {client.registry}/{client.repository}"
    response = client.send(
        "PUT",
        client.url(f"manifests/{name}"),
        what,
        expect={200, 201, 202},
        scopes=client.scope("pull", "push"),
        headers={"Content-Type": manifest.media_type},
        body=manifest.raw,
        tries=tries,
    )
    stated = stated_digest(response)
    if stated not in (None, manifest.digest):
        raise DigestMismatch(what, expected=str(manifest.digest), actual=str(stated))
    return response


def stated_digest(response: requests.Response) -> Digest | None:
    """Return the digest in the answer's headers, None if there is none that we compute."""
    text = response.headers.get(DIGEST_HEADER, "").strip()
    if not text:
        return None
    try:
        return Digest(text)
    except InvalidDigest as cause:
        raise MalformedContent(f"the registry states a malformed digest: {cause}") from cause


def content_type(response: requests.Response) -> str | None:
    """Return the media type of an answer, without parameters."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip() or None
