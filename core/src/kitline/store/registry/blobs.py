"""Blobs without their bytes: whether they are there, and taking them over from a neighbour.

Source: OCI distribution specification, "Checking if content exists", "Mounting a blob".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.store.registry.scopes import Scope
from kitline.store.registry.upload_session import session_of

if TYPE_CHECKING:
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.store.registry.client import RegistryClient


def has_blob(client: RegistryClient, digest: Digest) -> bool:
    """Tell whether the repository holds a blob."""
    response = client.send(
        "HEAD",
        client.url(f"blobs/{digest}"),
        f"look for blob {digest} in {client.registry}/{client.repository}",
        expect={200, 404},
        scopes=client.scope("pull"),
    )
    return response.status_code == 200


def mount_blob(client: RegistryClient, descriptor: Descriptor, origin: RegistryClient) -> bool:
    """Take a blob over from another repository of the same registry; False if it does not go."""
    if origin.origin != client.origin:
        return False
    if origin.repository == client.repository:
        return has_blob(client, descriptor.digest)
    url = client.url("blobs/uploads/", mount=str(descriptor.digest), **{"from": origin.repository})
    response = client.send(
        "POST",
        url,
        f"mount blob {descriptor.digest} from {origin.repository} in {client.repository}",
        # 4xx: registries that refuse a mount instead of starting an upload
        expect={201, 202, 400, 403, 404, 405},
        scopes=(*client.scope("pull", "push"), Scope.of(origin.repository, "pull")),
        headers={"Content-Length": "0"},
    )
    if response.status_code == 202 and "Location" in response.headers:
        session_of(client, url, response, f"blob {descriptor.digest}").cancel()
    return response.status_code == 201
