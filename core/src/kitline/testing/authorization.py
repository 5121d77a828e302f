"""Who may use the in-process registry: everybody, Basic, or Bearer with its own `/token`."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

from kitline.testing.exchange import Answer, error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.testing.exchange import Call

_ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}


class Authorization(Protocol):
    """Decides about requests."""

    def refuse(self, call: Call, repository: str | None, base: str) -> Answer | None:
        """Return the refusal of a request to `repository`, or None if it may go on."""


@dataclass(frozen=True, kw_only=True)
class BasicAuth:
    """One user with a password."""

    username: str = "ci"
    password: str = "secret"
    anonymous_pull: bool = False

    def refuse(self, call: Call, repository: str | None, base: str) -> Answer | None:
        if self.anonymous_pull and repository and call.method in ("GET", "HEAD"):
            return None
        if _basic(call.headers) == (self.username, self.password):
            return None
        return _unauthorized('Basic realm="local registry"')


@dataclass(kw_only=True)
class BearerAuth:
    """Tokens from `/token` of the same server, bound to scopes and time.

    `expires_in` is what the answer claims (None: says nothing), `lifetime` when a token really
    ends, both in seconds. `realm` replaces the address in the challenge; `{base}` in it is the
    server's own. `challenge_actions` replaces the actions in the challenge's scope.
    """

    username: str = "ci"
    password: str = "secret"
    identity_token: str = "identity-token"
    anonymous_pull: bool = False
    expires_in: int | None = 300
    lifetime: float = 300
    realm: str = "{base}/token"
    service: str = "local"
    challenge_actions: str | None = None
    token_name: str = "token"
    scopes_asked: list[str] = field(default_factory=list)
    """The scopes of all token requests, in order."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[frozenset[tuple[str, str]], float]] = {}

    @property
    def issued(self) -> int:
        """How many tokens there were."""
        return self._issued

    _issued: int = 0

    def expire(self) -> None:
        """Make all tokens invalid now."""
        with self._lock:
            self._tokens.clear()

    def refuse(self, call: Call, repository: str | None, base: str) -> Answer | None:
        needed = _needed(call, repository)
        if self.anonymous_pull and needed and all(action == "pull" for _, action in needed):
            return None
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        with self._lock:
            rights, end = self._tokens.get(token, (frozenset(), 0.0))
        valid = kind.lower() == "bearer" and time.monotonic() < end
        if valid and needed <= rights:
            return None
        return _unauthorized(self._challenge(repository, needed, base, token, valid=valid))

    def _challenge(
        self,
        repository: str | None,
        needed: frozenset[tuple[str, str]],
        base: str,
        token: str,
        *,
        valid: bool,
    ) -> str:
        challenge = f'Bearer realm="{self.realm.format(base=base)}",service="{self.service}"'
        if repository is not None:
            own = sorted((action for name, action in needed if name == repository))
            actions = self.challenge_actions or ",".join(own)
            challenge += f',scope="repository:{repository}:{actions}"'
        if token:
            challenge += f',error="{"insufficient_scope" if valid else "invalid_token"}"'
        return challenge

    def issue(self, call: Call) -> Answer:
        """Answer a request to `/token`: GET with Basic, POST with a password or identity token."""
        form = {**call.query, **parse_qs(call.read_all().decode())}
        known = self._is_known(call, {key: values[0] for key, values in form.items()})
        if known is None and not self.anonymous_pull:
            return error(401, "UNAUTHORIZED", "authentication required")
        if known is False:
            return error(401, "UNAUTHORIZED", "incorrect username or password")
        scopes = [scope for text in form.get("scope", []) for scope in text.split(" ") if scope]
        rights = frozenset(
            right for scope in scopes for right in _rights(scope) if known or right[1] == "pull"
        )
        token = secrets.token_urlsafe(24)
        with self._lock:
            self.scopes_asked.extend(scopes)
            self._tokens[token] = (rights, time.monotonic() + self.lifetime)
            self._issued += 1
        fields: dict[str, object] = {self.token_name: token}
        if self.expires_in is not None:
            fields["expires_in"] = self.expires_in
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(fields).encode())

    def _is_known(self, call: Call, form: Mapping[str, str]) -> bool | None:
        """Tell whether the caller is the user; None if nobody introduced himself."""
        if call.method == "POST":
            if form.get("grant_type") == "refresh_token":
                return form.get("refresh_token") == self.identity_token
            return (form.get("username"), form.get("password")) == (self.username, self.password)
        found = _basic(call.headers)
        return None if found is None else found == (self.username, self.password)


def _needed(call: Call, repository: str | None) -> frozenset[tuple[str, str]]:
    if repository is None:
        return frozenset()
    action = _ACTIONS.get(call.method)
    needed = {(repository, action)} if action else {(repository, "pull"), (repository, "push")}
    if call.path.find("/blobs/uploads/") > 0:
        needed = {(repository, "pull"), (repository, "push")}
    if "mount" in call.query and "from" in call.query:
        needed.add((call.query["from"][0], "pull"))
    return frozenset(needed)


def _rights(scope: str) -> set[tuple[str, str]]:
    found = re.fullmatch(r"repository:(.+):([a-z*,]+)", scope)
    if not found:
        return set()
    actions = found[2].replace("*", "pull,push,delete").split(",")
    return {(found[1], action) for action in actions}


def _basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    return username, password


def _unauthorized(challenge: str) -> Answer:
    answer = error(401, "UNAUTHORIZED", "authentication required")
    answer.headers["WWW-Authenticate"] = challenge
    return answer
