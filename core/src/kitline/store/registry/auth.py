"""Authorization for one registry: which header goes along with a request, and how a 401 is answered.

The transport sends each request with `headers_for(url, scopes)`. On a 401 it calls
`answer(response, scopes)` once for that request and, if that returns True, sends it again with
fresh `headers_for`; a second 401 is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oras.auth.token import TokenAuth

if TYPE_CHECKING:
    import requests

    from kitline.store.registry.credentials import Credential
    from kitline.store.registry.scopes import Scope


class RegistryAuth(TokenAuth):  # type: ignore[misc]  # oras ships no type information
    """Basic or Bearer, whichever the registry asks for; safe for many threads.

    Args:
        registry: the name that credentials are looked up by, such as `docker.io`.
        origin: where its API lies, such as `https://registry-1.docker.io`; no other origin ever
            gets a credential from here, except the token service (https, or plain http if the
            registry is) that the registry itself names.
        repository: the repository mainly worked on; some credential files name one.
        session: sends the token requests; used with `timeout` and `verify` on every request.
        verify: False, True or the path of a CA file, as in requests.
        timeout: seconds to connect and seconds per read.
        find: looks the credential up, called at first need and again when it was refused or ran
            out; None stands for docker's order (`credentials.find_credential`).
    """

    def __init__(
        self,
        registry: str,
        *,
        origin: str,
        repository: str | None = None,
        session: requests.Session,
        verify: bool | str = True,
        timeout: tuple[float, float] = (10.0, 60.0),
        find: Callable[[], Credential | None] | None = None,
    ) -> None:
        super().__init__()
        raise NotImplementedError

    def headers_for(self, url: str, scopes: Iterable[Scope] = ()) -> dict[str, str]:
        """Return `{"Authorization": …}`, or `{}` for another origin and while nothing is wanted.

        A token that runs out is replaced first, so that no long body is sent in vain. `scopes` is
        all that the request needs, for a mount two: `Scope.of("a/b", "pull", "push")` and
        `Scope.of("c/d", "pull")`. Empty for `/v2/`.

        Raises:
            AuthenticationFailed: the token service refuses.
            RegistryUnreachable: the token service gives no usable answer.
        """
        raise NotImplementedError

    def answer(self, response: requests.Response, scopes: Iterable[Scope] = ()) -> bool:
        """Prepare for sending the request of this 401 again; False if that cannot help.

        False for any other status and for responses of another origin. `scopes` as in
        `headers_for`.

        Raises:
            AuthenticationFailed: the credentials are wrong, or missing where some are wanted.
            RegistryUnreachable: the token service gives no usable answer.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words where the credential comes from, without any secret."""
        raise NotImplementedError
