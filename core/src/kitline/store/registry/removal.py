"""Removing tags and manifests, where a registry lets one.

Source: OCI distribution specification, "Content Management". Deleting by digest takes the tags
along; deleting a tag alone is newer, and docker-registry 2.8 refuses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import ManifestNotFound, RegistryError, TagNotFound
from kitline.oci.reference import check_tag
from kitline.store.registry.faults import Refusal
from kitline.store.registry.tags import find_tag

if TYPE_CHECKING:
    import requests

    from kitline.oci.digest import Digest
    from kitline.store.registry.client import RegistryClient


def remove_tag(client: RegistryClient, tag: str) -> None:
    """Remove a tag, not what it points at."""
    check_tag(tag)
    name = f"{client.registry}/{client.repository}:{tag}"
    found = find_tag(client, tag)
    if found is None:
        raise TagNotFound(f"remove tag: there is no {name}")
    response = _delete(client, tag, f"remove tag {name}")
    if response.status_code == 404:
        raise TagNotFound(f"remove tag: there is no {name}")
    if response.status_code in (400, 405, 501):
        raise RegistryError(
            f"remove tag {name}: the registry does not remove single tags ({Refusal.of(response)});"
            f" removing the manifest {found.digest} would remove all its tags, this one too",
            status=response.status_code,
            code=Refusal.of(response).code,
        )


def remove_manifest(client: RegistryClient, digest: Digest) -> None:
    """Remove a manifest and every tag that points at it."""
    name = f"{client.registry}/{client.repository}@{digest}"
    response = _delete(client, str(digest), f"remove manifest {name}")
    if response.status_code == 404:
        raise ManifestNotFound(f"remove manifest: there is no {name}")
    if response.status_code in (400, 405, 501):
        raise RegistryError(
            f"remove manifest {name}: the registry has deletion switched off"
            f" ({Refusal.of(response)}); its administrator can switch it on",
            status=response.status_code,
            code=Refusal.of(response).code,
        )


def _delete(client: RegistryClient, name: str, what: str) -> requests.Response:
    return client.send(
        "DELETE",
        client.url(f"manifests/{name}"),
        what,
        expect={200, 202, 204, 404, 400, 405, 501},
        scopes=client.scope("pull", "push", "delete"),
    )
