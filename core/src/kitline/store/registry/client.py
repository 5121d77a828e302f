"""The HTTP client of one repository: oras' `Registry` with our own way of sending requests.

Kept from oras: the session without cookies, its TLS setting and the seat for the auth backend.
Overridden: `do_request` (timeouts, retries, redirects, credentials for the own origin only).
Everything in oras that moves blobs or manifests is not used (reference, section 1.2).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from kitline._version import VERSION
from kitline.errors import InvalidSetting, MalformedContent, RegistryError
from kitline.store.registry import faults
from kitline.store.registry.auth import RegistryAuth
from kitline.store.registry.light_requests import requests
from kitline.store.registry.oras_registry import Registry
from kitline.store.registry.origin import Origin, follow
from kitline.store.registry.reach import Reach
from kitline.store.registry.retry import PASSING, Patience, retry_after
from kitline.store.registry.scopes import Scope
from kitline.store.registry.session import furnish, proxies_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from kitline.store.registry.options import RegistryOptions

ANSWER_LIMIT = 8 << 20
"""Most bytes of an answer that are read into memory."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


class Body(Protocol):
    """What requests sends piece by piece: `__len__` gives the Content-Length."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[memoryview]: ...
    def read(self, size: int = -1, /) -> memoryview | bytes:
        """Return the next piece, empty at the end."""


class RegistryClient(Registry):  # type: ignore[misc]  # oras ships no type information
    """Sends requests about one repository; safe for many threads."""

    session: Any

    def __init__(self, registry: str, repository: str, options: RegistryOptions) -> None:
        self.origin = Origin.of_registry(registry, plain_http=options.plain_http)
        verify: bool | str = not options.insecure
        if options.ca_file is not None and not options.insecure:
            if not options.ca_file.is_file():
                raise InvalidSetting("ca_file", "the options", f"no file {str(options.ca_file)!r}")
            verify = str(options.ca_file)
        super().__init__(
            hostname=registry, insecure=self.origin.scheme == "http", tls_verify=verify
        )
        self.options = options
        self.registry = registry
        self.repository = _library(registry, repository)
        self.takes_patches = True
        """Until the registry shows that it takes a blob only in one PUT."""
        self.largest_body: int | None = None
        """Bytes that a proxy on the way lets through in one request, once it has refused more."""
        self.healing = threading.Lock()
        """Held while a reader puts back lost referrers, and for good once it was refused."""
        self._timeout = (options.connect_timeout, options.read_timeout)
        self._ways: dict[tuple[str, str], dict[str, Any]] = {}
        self.session.headers["User-Agent"] = f"kitline/{VERSION}"
        shared = options.sessions
        furnish(
            self.session,
            connections=options.concurrency if shared is None else shared.connections,
            timeout=options.read_timeout,
            reach=None if options.trusted is None else Reach(options.trusted),
        )
        if shared is not None:
            self.session = shared.session((self.origin, verify), self.session)
        self.auth = RegistryAuth(
            registry,
            origin=str(self.origin),
            repository=self.repository,
            session=self.session,
            verify=verify,
            timeout=self._timeout,
            username=options.username,
            password=options.password,
            retry=options.retry,
        )
        if shared is not None:
            # files may name one repository only; what was given holds for all
            within = self.repository if options.username is None else None
            self.auth = shared.authority((self.origin, options.username, within), self.auth)

    def url(self, path: str, **query: str | int) -> str:
        """Return the address of `path` in this repository, such as `blobs/sha256:…`."""
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return f"{self.origin}/v2/{self.repository}/{path}{asked}"

    def scope(self, *actions: str) -> tuple[Scope, ...]:
        """Return what a request in this repository needs."""
        return (Scope.of(self.repository, *actions),)

    def send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        expect: Collection[int],
        scopes: tuple[Scope, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | Callable[[], Body] | None = None,
        stream: bool = False,
        limit: int = ANSWER_LIMIT,
        tries: int | None = None,
        patience_for_answer: float = 0.0,
        anonymous: bool = False,
    ) -> requests.Response:
        """Send a request until it is answered with a status in `expect`.

        `what` says what is attempted, for messages: `"push blob sha256:…"`. `body` is bytes, or
        what opens the body anew for each try. With `stream` the answer's body is left unread for
        the caller to close, else at most `limit` bytes of it are read. `tries` replaces the
        policy's; `patience_for_answer` adds seconds to the usual timeout; `anonymous` leaves
        credentials out and does not answer a challenge.

        Raises:
            RegistryUnreachable: no usable answer after all tries.
            RegistryError: another status, in its most telling subclass.
        """
        patience = Patience(self.options.retry, tries=tries)
        while True:
            try:
                response = self._exchange(
                    method,
                    url,
                    None if anonymous else scopes,
                    dict(headers or {}),
                    body,
                    patience_for_answer,
                )
                if response.status_code in expect:
                    return response if stream else keep(response, what, limit=limit)
                keep(response, what, limit=faults.ERROR_LIMIT)
            except Exception as error:
                if not faults.is_broken(error):
                    raise
                most = 1 if faults.is_final(error) else 3 if faults.is_absent(error) else None
                if patience.wait(most_tries=most):
                    continue
                raise faults.unreachable(error, what, str(Origin.of(url))) from error
            if response.status_code in PASSING and patience.wait(retry_after(response)):
                continue
            if response.status_code in (401, 403) and Origin.of(response.url) == self.origin:
                denied = self.auth.refusal(response.status_code, what)
                raise faults.denial_error(response, denied, what)
            raise faults.refusal_error(response, what, self.registry)

    def _exchange(
        self,
        method: str,
        url: str,
        scopes: tuple[Scope, ...] | None,
        headers: dict[str, str],
        body: bytes | Callable[[], Body] | None,
        patience: float,
    ) -> requests.Response:
        """Send once, answering one challenge and following redirects."""
        challenged = False
        for _ in range(_MOST_REDIRECTS + 2):
            response = self._send_once(method, url, scopes, headers, body, patience)
            status = response.status_code
            own = Origin.of(url) == self.origin
            if status == 401 and scopes is not None and not challenged and own:
                keep(response, "answer a challenge", limit=faults.ERROR_LIMIT)
                challenged = True
                if not self.auth.answer(response, scopes):
                    return response
            elif status in _REDIRECTS and "Location" in response.headers:
                response.close()
                url = follow(url, response.headers["Location"])
                if status == 303 or (status in (301, 302) and method == "POST"):
                    method, body = "GET", None
            else:
                return response
        raise RegistryError(f"{self.origin} redirects more than {_MOST_REDIRECTS} times")

    def _send_once(
        self,
        method: str,
        url: str,
        scopes: tuple[Scope, ...] | None,
        headers: dict[str, str],
        body: bytes | Callable[[], Body] | None,
        patience: float,
    ) -> requests.Response:
        target = Origin.of(url)
        allowed: dict[str, str] = {}
        if target == self.origin and scopes is not None:
            allowed = self.auth.headers_for(url, scopes)
        connect, read = self._timeout
        request = requests.Request(
            method,
            url,
            data=body() if callable(body) else body,
            headers={"Accept-Encoding": "identity", **headers, **allowed},
        )
        prepared = self.session.prepare_request(request)
        response: requests.Response = self.session.send(
            prepared,
            timeout=(connect, read + patience),
            allow_redirects=False,
            **self._way_to(target, prepared.url),
        )
        return response

    def _way_to(self, target: Origin, url: str) -> dict[str, Any]:
        """Return proxies and CA certificates for a host; the environment is read only once."""
        host = urlsplit(url)[:2]
        found = self._ways.get(host)
        if found is None:
            found = self._ways[host] = self.session.merge_environment_settings(
                url, proxies_for(target.host), True, self._tls_verify, None
            )
        return found

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: dict[str, str] | bytes | None = None,
        headers: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Answer for what is inherited from oras: any status comes back."""
        if json is not None or isinstance(data, dict):
            raise NotImplementedError("bodies are sent as the bytes that they are")
        writes = method not in ("GET", "HEAD")
        return self.send(
            method,
            url,
            f"{method} in {self.repository}",
            expect=frozenset(range(200, 500)) - PASSING,
            scopes=self.scope("pull", "push") if writes else self.scope("pull"),
            headers=headers,
            body=data,
            stream=stream,
        )

    def close(self) -> None:
        """Give up all connections, but those that are shared."""
        if self.options.sessions is None:
            self.session.close()


def keep(response: requests.Response, what: str, *, limit: int = ANSWER_LIMIT) -> requests.Response:
    """Read the body of an answer into memory, and no more than `limit` bytes of it.

    Raises:
        MalformedContent: if a body of a good answer is longer.
    """
    held = bytearray()
    try:
        for piece in response.iter_content(64 << 10):
            held += piece
            if len(held) > limit:
                if response.ok:
                    raise MalformedContent(
                        f"{what}: the registry's answer is longer than {limit} bytes"
                    )
                break
    finally:
        if len(held) > limit:
            response.close()
    response._content = bytes(held[:limit])
    return response


def _library(registry: str, repository: str) -> str:
    """Return the full name of Docker Hub's own repositories, `library/…`."""
    if registry in ("docker.io", "index.docker.io") and "/" not in repository:
        return f"library/{repository}"
    return repository
