"""The token service of a registry: credentials in, a short-lived Bearer token out.

Source: distribution's token specification (GET with Basic) and its OAuth 2 form (POST with a
refresh token, which docker calls identity token).
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import requests

from kitline.errors import AuthenticationFailed, RegistryUnreachable
from kitline.frozen import dataclass
from kitline.store.registry import faults
from kitline.store.registry.origin import Origin
from kitline.store.registry.retry import PASSING, Patience, retry_after
from kitline.store.registry.session import proxies_for
from kitline.store.registry.tokens import Token, stale_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.store.registry.credential import Credential
    from kitline.store.registry.options import RetryPolicy
    from kitline.store.registry.scopes import Scope

CLIENT = "kitline"
_LARGEST_ANSWER = 1 << 20
_TOKEN_TEXT = re.compile(r"[\x21-\x7e]+\Z")
_NO_POST = {404, 405, 501}


@dataclass(frozen=True, kw_only=True)
class TokenService:
    """One token service, with the session that reaches it."""

    registry: str
    realm: str
    service: str | None
    session: requests.Session
    verify: bool | str
    timeout: tuple[float, float]
    retry: RetryPolicy

    def fetch(self, scopes: tuple[Scope, ...], credential: Credential | None) -> Token:
        """Ask for a token, anonymously without credential.

        Raises:
            AuthenticationFailed: if the service refuses; asking again would not help.
            RegistryUnreachable: if it gives no usable answer after some tries.
        """
        asked_at = time.monotonic()
        answer = self._ask(scopes, credential)
        value = answer.get("token") or answer.get("access_token")
        if not isinstance(value, str) or not _TOKEN_TEXT.match(value):
            raise RegistryUnreachable(f"{self._name} answered without a usable token")
        stale_at = asked_at + stale_after(answer.get("expires_in"))
        return Token(value=value, scopes=scopes, stale_at=stale_at)

    @property
    def _name(self) -> str:
        return f"the token service {self.realm!r} of registry {self.registry!r}"

    def _ask(self, scopes: Sequence[Scope], credential: Credential | None) -> dict[str, Any]:
        query = [("scope", str(scope)) for scope in scopes]
        if self.service:
            query.insert(0, ("service", self.service))
        if credential is None:
            return self._read(self._send("GET", params=query))
        if credential.identity_token is not None:
            form = {
                "grant_type": "refresh_token",
                "client_id": CLIENT,
                "refresh_token": credential.identity_token,
                "scope": " ".join(map(str, scopes)),
            } | ({"service": self.service} if self.service else {})
            response = self._send("POST", data=form)
            if response.status_code not in _NO_POST:
                return self._read(response, credential)
            response.close()
        query.append(("account", credential.username))
        headers = {"Authorization": credential.basic_header()}
        return self._read(self._send("GET", params=query, headers=headers), credential)

    def _send(self, method: str, **content: Any) -> requests.Response:
        patience = Patience(self.retry)
        while True:
            try:
                response = self._send_once(method, content)
            except requests.exceptions.RequestException as cause:
                if not faults.is_final(cause) and patience.wait():
                    continue
                raise faults.unreachable(
                    cause,
                    f"get a token for registry {self.registry!r}",
                    str(Origin.of(self.realm)),
                ) from None
            if response.status_code not in PASSING:
                return response
            response.close()
            if not patience.wait(retry_after(response)):
                raise RegistryUnreachable(
                    f"{self._name} answered {response.status_code}, {patience.failed} times"
                )

    def _send_once(self, method: str, content: dict[str, Any]) -> requests.Response:
        return self.session.request(
            method,
            self.realm,
            **content,
            auth=_as_it_is,
            allow_redirects=False,
            stream=True,
            verify=self.verify,
            timeout=self.timeout,
            proxies=proxies_for(Origin.of(self.realm).host),
        )

    def _read(
        self, response: requests.Response, credential: Credential | None = None
    ) -> dict[str, Any]:
        with response:
            if response.status_code != 200:
                raise self._refusal(response, credential)
            body = self._body(response)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise RegistryUnreachable(f"{self._name} answered no JSON object")
        return answer

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        try:
            for piece in response.iter_content(1 << 16):
                body += piece
                if len(body) > _LARGEST_ANSWER:
                    raise RegistryUnreachable(f"{self._name} answered more than 1 MiB")
        except requests.exceptions.RequestException as cause:
            raise RegistryUnreachable(f"{self._name} broke off: {type(cause).__name__}") from None
        return bytes(body)

    def _refusal(
        self, response: requests.Response, credential: Credential | None
    ) -> AuthenticationFailed:
        status = response.status_code
        if 300 <= status < 400:
            message = f"{self._name} redirects elsewhere; credentials are not sent on"
        elif credential is None:
            message = f"{self._name} gives no anonymous token (status {status})"
        else:
            message = (
                f"{self._name} refused {credential} (status {status}); they are wrong, or give no"
                f" right here; run 'kitline login {self.registry}' to replace them"
            )
        return AuthenticationFailed(message, status=status)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from replacing the header by what ~/.netrc holds for the host."""
    return request
