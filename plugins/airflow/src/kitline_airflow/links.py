"""ModelKitLink: from a task to the kit that it returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

_PAGES = {
    "docker.io": "https://hub.docker.com/r/{repository}/tags",
    "ghcr.io": "https://github.com/{repository}/pkgs/container/{name}",
    "quay.io": "https://quay.io/repository/{repository}/manifest/{digest}",
}
"""Pages for people, where a registry is known to have them."""


class ModelKitLink(BaseOperatorLink):
    """Opens the kit: its page where the registry has one, else its manifest."""

    name = "ModelKit"

    @property
    def xcom_key(self) -> str:
        """Airflow keeps the link under this key; it must be no key of the operators."""
        return "_link_ModelKitLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, empty if the task returned no kit of a registry."""
        return kit_address(XCom.get_value(ti_key=ti_key, key="return_value"))


def kit_address(value: Any) -> str:
    """Return where a browser finds a kit; empty if it is in no registry."""
    from kitline.errors import KitlineError
    from kitline.plugin import PinnedReference

    try:
        found = PinnedReference.parse(str(value))
    except KitlineError:
        return ""
    if found.registry is None:
        return ""
    page = _PAGES.get(found.registry)
    if page is None:
        host = found.registry.partition(":")[0]
        scheme = "http" if host in ("localhost", "127.0.0.1", "[") else "https"
        page = scheme + "://{registry}/v2/{repository}/manifests/{digest}"
    return page.format(
        registry=found.registry,
        repository=found.repository,
        name=found.repository.rpartition("/")[2],
        digest=found.digest,
    )
