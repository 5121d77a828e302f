"""Login and logout: docker's configuration, without docker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.oci.reference import Reference
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores

if TYPE_CHECKING:
    from kitline.operations.settings import Settings


def login(registry: str, username: str, password: str, *, settings: Settings | None = None) -> str:
    """Check a user name and password against a registry and store them; return where.

    Raises:
        AuthenticationFailed: if the registry does not accept them; nothing is stored then.
    """
    from kitline.store.registry.login import store_credential

    host = read_registry(registry)
    with Stores(settings_or_default(settings)) as stores:
        stores.check_login(host, username, password)
    return store_credential(host, username, password)


def check_login(registry: str, *, settings: Settings | None = None) -> None:
    """Ask a registry whether it is there and accepts the credentials that would be used.

    Raises:
        AuthenticationFailed: if it does not accept them, or wants some and there are none.
        RegistryUnreachable: if it gives no usable answer.
    """
    from kitline.store.registry import open_registry

    host = read_registry(registry)
    with Stores(settings_or_default(settings)) as stores:
        options = stores.registry_options(host)
        with open_registry(Reference(registry=host, repository="x"), options) as store:
            store.check_login()


def logout(registry: str) -> str | None:
    """Forget what is stored for a registry; return from where, or None if there was nothing."""
    from kitline.store.registry.login import erase_credential

    return erase_credential(read_registry(registry))


def read_registry(text: str) -> str:
    """Read `host[:port]`; a repository behind it is left away."""
    host = text.removeprefix("https://").removeprefix("http://").partition("/")[0]
    reference = Reference.parse(f"{host}/x")
    if reference.registry is None:
        raise UsageError(f"{text!r} names no registry; write 'host[:port]', such as 'ghcr.io'")
    return reference.registry
