"""Probe: what works against a registry, and what does not and why; leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests.utils import get_environ_proxies, select_proxy

from kitline.errors import KitlineError
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.store.registry.faults import clean
from kitline.store.registry.upload_session import start_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    import requests

    from kitline.store.registry.client import RegistryClient

    Found = TypeVar("Found")

_NOTHING = Digest("sha256:" + "0" * 64)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was found; a problem is a message for people, "" stands for none."""

    address: str
    """Scheme, host and port of the API."""
    reachable: bool
    auth: str
    """What the registry asks for: `none`, `basic`, `bearer`, or "" if it cannot be told."""
    credential: str
    """Where the credential comes from, without any secret."""
    can_pull: bool
    can_push: bool
    has_referrers_api: bool | None
    """None: could not be told."""
    is_encrypted: bool
    is_verified: bool
    """Whether the certificate was checked."""
    proxy: str
    """The proxy on the way, without user and password; "" for none."""
    server: str
    """What the registry calls itself."""
    problem: str = ""
    pull_problem: str = ""
    push_problem: str = ""


def run_probe(client: RegistryClient) -> Probe:
    """Ask in order: the API's root, reading, referrers, an upload that is dropped at once."""
    root, problem = _try(lambda: _root(client))
    reachable = root is not None
    pull, pull_problem = _try(lambda: _pull(client)) if reachable else (None, problem)
    push, push_problem = _try(lambda: _push(client)) if reachable else (None, problem)
    referrers, _ = _try(lambda: _has_referrers(client)) if pull else (None, "")
    credential, _ = _try(client.auth.describe)
    secure = client.origin.scheme == "https"
    return Probe(
        address=str(client.origin),
        reachable=reachable,
        auth=_scheme(root),
        credential=str(credential or ""),
        can_pull=bool(pull),
        can_push=bool(push),
        has_referrers_api=referrers,
        is_encrypted=secure,
        is_verified=secure and not client.options.insecure,
        proxy=_proxy(client),
        server=_server(root),
        problem=problem,
        pull_problem=pull_problem,
        push_problem=push_problem,
    )


def _try(ask: Callable[[], Found]) -> tuple[Found | None, str]:
    try:
        return ask(), ""
    except KitlineError as error:
        return None, str(error)


def _root(client: RegistryClient) -> requests.Response:
    """Ask without credentials, so that the challenge can be seen."""
    return client.send(
        "GET",
        f"{client.origin}/v2/",
        f"reach registry {client.registry}",
        expect={200, 401, 403, 404},
        scopes=(),
        tries=2,
        anonymous=True,
    )


def _pull(client: RegistryClient) -> bool:
    """Look for a blob that nobody has; 404 is the good answer."""
    client.send(
        "HEAD",
        client.url(f"blobs/{_NOTHING}"),
        f"read from {client.registry}/{client.repository}",
        expect={200, 404},
        scopes=client.scope("pull"),
    )
    return True


def _push(client: RegistryClient) -> bool:
    start_session(client, "nothing").cancel()
    return True


def _has_referrers(client: RegistryClient) -> bool:
    response = client.send(
        "GET",
        client.url(f"referrers/{_NOTHING}"),
        f"ask {client.registry} for referrers",
        expect={200, 400, 404, 405, 406, 501},
        scopes=client.scope("pull"),
    )
    return response.status_code == 200


def _scheme(root: requests.Response | None) -> str:
    if root is None:
        return ""
    if root.status_code == 200:
        return "none"
    first = root.headers.get("WWW-Authenticate", "").partition(" ")[0].lower()
    return first if first in ("basic", "bearer") else ""


def _server(root: requests.Response | None) -> str:
    if root is None:
        return ""
    names = (root.headers.get(n, "") for n in ("Server", "Docker-Distribution-Api-Version"))
    return clean(" ".join(name for name in names if name), 100)


def _proxy(client: RegistryClient) -> str:
    url = str(client.origin)
    if client.origin.is_loopback:
        return ""
    found = select_proxy(url, get_environ_proxies(url)) or ""
    scheme, mark, rest = str(found).rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]
