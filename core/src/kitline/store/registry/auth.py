"""Authorization for one registry: the header that goes along, and the answer to a 401.

The transport sends each request with `headers_for(url, scopes)`. On a 401 it calls
`answer(response, scopes)` once for that request and, if that returns True, sends it again with
fresh `headers_for`; a second 401 is final, and `refusal` words it. What that takes is loaded then.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kitline.errors import AccessDenied, AuthenticationFailed, MalformedContent, RegistryError
from kitline.store.registry.current_credential import CurrentCredential
from kitline.store.registry.options import RetryPolicy
from kitline.store.registry.oras_registry import TokenAuth
from kitline.store.registry.origin import Origin
from kitline.store.registry.scopes import Scope, join_scopes
from kitline.store.registry.tokens import TokenCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import requests

    from kitline.store.registry.challenge import Challenge
    from kitline.store.registry.credentials import Lookup
    from kitline.store.registry.token_service import TokenService
    from kitline.store.registry.tokens import Token


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
        username: the explicit user, with `password`; nothing else is looked for then.
        password: the password of that user.
        retry: how often the token service is tried.
        find: looks the credential up, called at first need and again when it was refused or ran
            out; None stands for docker's order (`look_up_credential`).
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
        username: str | None = None,
        password: str | None = None,
        retry: RetryPolicy | None = None,
        find: Callable[[], Lookup] | None = None,
    ) -> None:
        super().__init__()
        self.registry = registry
        self.session = session
        self._origin = Origin.of(origin)
        self.prefix = self._origin.scheme
        self._tls_verify = verify
        self._timeout = timeout
        self._retry = retry or RetryPolicy()

        def look_up() -> Lookup:
            from kitline.store.registry.credentials import look_up_credential

            return look_up_credential(registry, repository, username=username, password=password)

        self._credential = CurrentCredential(registry, find or look_up)
        self._lock = threading.RLock()
        self._service: TokenService | None = None
        self._wants_basic = False
        self._tokens = TokenCache()
        self._joined: dict[tuple[Scope, ...], tuple[Scope, ...]] = {}

    def headers_for(self, url: str, scopes: Iterable[Scope] = ()) -> dict[str, str]:
        """Return `{"Authorization": …}`, or `{}` for another origin and while nothing is wanted.

        A token that runs out is replaced first, so that no long body is sent in vain. `scopes` is
        all that the request needs, for a mount two: `Scope.of("a/b", "pull", "push")` and
        `Scope.of("c/d", "pull")`. Empty for `/v2/`.

        Raises:
            AuthenticationFailed: the token service refuses.
            RegistryUnreachable: the token service gives no usable answer.
        """
        if not self._is_own(url):
            return {}
        needed = join_scopes(scopes)
        with self._lock:
            if self._service is not None:
                token = self._tokens.find(needed, time.monotonic())
                token = token or self._fetch(self._service, self._joined.get(needed, needed))
                return {"Authorization": f"Bearer {token.value}"}
            credential = self._credential.get() if self._wants_basic else None
            return {"Authorization": credential.basic_header()} if credential else {}

    def answer(self, response: requests.Response, scopes: Iterable[Scope] = ()) -> bool:
        """Prepare for sending the request of this 401 again; False if that cannot help.

        False for any other status, for responses of another origin and where the registry names
        no way that is known here. `scopes` as in `headers_for`. Closes the response if True.

        Raises:
            AuthenticationFailed: the credentials are wrong, or missing where some are wanted.
            RegistryUnreachable: the token service gives no usable answer.
        """
        if response.status_code != 401 or not self._is_own(response.url):
            return False
        ways = {way.scheme: way for way in reversed(self._challenges(response))}
        sent = str(response.request.headers.get("Authorization", ""))
        if "bearer" in ways:
            response.close()  # frees its connection for the request to the token service
            self._answer_bearer(ways["bearer"], sent, join_scopes(scopes))
        elif "basic" in ways:
            response.close()
            self._answer_basic(sent)
        else:
            return False
        return True

    def refusal(self, status: int, what: str) -> RegistryError:
        """Return the error for a 401 or 403 that is final; `what` was attempted, in words."""
        message = f"registry {self.registry!r} refused to {what} (status {status})"
        with self._lock:
            used = self._credential.known
            if used is None:
                hint = self._credential.missing()
                return AuthenticationFailed(f"{message} and {hint}", status=status)
            if status == 401 and self._wants_basic:
                return AuthenticationFailed(
                    f"{message}: it does not accept {used};"
                    f" run 'kitline login {self.registry}' to replace the credentials",
                    status=status,
                )
        return AccessDenied(
            f"{message}; {used} is accepted but does not have the right", status=status
        )

    def describe(self) -> str:
        """Say in words which credential is used and where it comes from, without any secret."""
        with self._lock:
            return self._credential.describe()

    def _answer_bearer(self, challenge: Challenge, sent: str, needed: tuple[Scope, ...]) -> None:
        wanted = join_scopes((*needed, *challenge.scopes))
        service = self._service_of(challenge)
        with self._lock:
            self._service = service
            self._joined[needed] = wanted
            self._tokens.drop(sent.removeprefix("Bearer "))
            # another thread may have replaced the refused token in the meantime
            if self._tokens.find(wanted, time.monotonic()) is None:
                self._fetch(service, wanted)

    def _answer_basic(self, sent: str) -> None:
        with self._lock:
            credential = self._credential.get()
            if credential is not None and sent == credential.basic_header():
                credential = self._credential.replace()
            if credential is None:
                raise AuthenticationFailed(
                    f"registry {self.registry!r} asks for a user and password and"
                    f" {self._credential.missing()}",
                    status=401,
                )
            self._service, self._wants_basic = None, True

    def _fetch(self, service: TokenService, scopes: tuple[Scope, ...]) -> Token:
        """Get a token; a refused credential is looked up again, for it may have been replaced."""
        credential = self._credential.get()
        try:
            token = service.fetch(scopes, credential)
        except AuthenticationFailed as refused:
            if credential is None:
                raise AuthenticationFailed(
                    f"{refused} and {self._credential.missing()}", status=refused.status
                ) from None
            token = service.fetch(scopes, self._credential.replace(refused))
        self._tokens.keep(token)
        return token

    def _is_own(self, url: str | None) -> bool:
        try:
            return Origin.of(url or "") == self._origin
        except RegistryError:
            return False

    def _challenges(self, response: requests.Response) -> tuple[Challenge, ...]:
        from kitline.store.registry.challenge import parse_challenges

        try:
            return parse_challenges(response.headers.get("WWW-Authenticate", ""))
        except MalformedContent as cause:
            raise self._unreadable(cause) from cause

    def _service_of(self, challenge: Challenge) -> TokenService:
        from kitline.store.registry.challenge import get_realm
        from kitline.store.registry.token_service import TokenService

        try:
            realm = get_realm(challenge, self._origin)
        except MalformedContent as cause:
            raise self._unreadable(cause) from cause
        return TokenService(
            registry=self.registry,
            realm=realm,
            service=challenge.parameters.get("service"),
            session=self.session,
            verify=self._tls_verify,
            timeout=self._timeout,
            retry=self._retry,
        )

    def _unreadable(self, cause: MalformedContent) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"registry {self.registry!r} asks for authorization in a way that is not understood:"
            f" {cause}",
            status=401,
        )

    # What oras' own requests would call; all of it leads to the two methods above.

    def get_auth_header(self) -> dict[str, str]:
        """Return nothing: without an address no header is given out."""
        return {}

    def authenticate_request(
        self, original: requests.Response, headers: dict[str, str], refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a 401 as `answer` does, with the scope that its challenge names."""
        changed = self.answer(original)
        return {**(headers or {}), **self.headers_for(original.url)}, changed

    def load_configs(self, container: Any, configs: list[str] | None = None) -> None:
        """Do nothing: credentials are looked up at first need."""

    def set_basic_auth(self, username: str, password: str) -> None:
        """Use this user and password from now on."""
        from kitline.store.registry.credential import Credential
        from kitline.store.registry.credentials import Lookup

        credential = Credential.of(username, password, "the arguments")
        with self._lock:
            self._forget()
            self._credential.forget(lambda: Lookup(credential=credential))

    def set_token_auth(self, token: str) -> None:
        """Refuse: a token without scope and expiry is not kept."""
        raise NotImplementedError("give a user and password, or an identity token")

    def logout(self, hostname: str) -> None:
        """Forget tokens and credential; what is kept in files is `erase_credential`'s."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._credential.forget()
        self._service, self._wants_basic = None, False
        self._tokens.clear()
        self._joined.clear()
