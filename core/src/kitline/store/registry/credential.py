"""A credential for one registry: a user with a password, or an identity token; never shown."""

from __future__ import annotations

import base64
import time
from dataclasses import field

from kitline.frozen import dataclass

IDENTITY_TOKEN_USER = "<token>"
"""The user name by which docker's files and helpers mark an identity token."""
_MARGIN = 60.0


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a registry is shown; `source` says in words where it was found.

    `identity_token` is a refresh token for the token service and replaces the password.
    `expires_at`, in seconds since the epoch, is known for the clouds' own identities only.
    """

    username: str
    password: str = field(default="", repr=False)
    identity_token: str | None = field(default=None, repr=False)
    source: str
    expires_at: float | None = None

    @classmethod
    def of(cls, username: str, secret: str, source: str) -> Credential:
        """Take `secret` as identity token if the user is `<token>`, else as password."""
        if username == IDENTITY_TOKEN_USER:
            return cls(username=username, identity_token=secret, source=source)
        return cls(username=username, password=secret, source=source)

    def basic_header(self) -> str:
        """Return the value of an `Authorization` header: Basic, as RFC 7617 writes it."""
        secret = self.password if self.identity_token is None else self.identity_token
        return "Basic " + base64.b64encode(f"{self.username}:{secret}".encode()).decode("ascii")

    def has_expired(self) -> bool:
        """Tell whether it runs out within a minute."""
        return self.expires_at is not None and time.time() > self.expires_at - _MARGIN

    def shows_same_as(self, other: Credential | None) -> bool:
        """Tell whether a registry would see no difference."""
        return other is not None and self.basic_header() == other.basic_header()

    def __str__(self) -> str:
        if self.identity_token is not None:
            return f"the identity token from {self.source}"
        return f"user {self.username!r} from {self.source}"
