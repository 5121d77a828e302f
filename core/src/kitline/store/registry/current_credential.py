"""The credential in use for one registry: looked up at first need, replaced when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import AuthenticationFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.store.registry.credential import Credential
    from kitline.store.registry.credentials import Lookup


class CurrentCredential:
    """What `find` found, for as long as it lasts; the caller holds the lock."""

    def __init__(self, registry: str, find: Callable[[], Lookup]) -> None:
        self._registry = registry
        self._find = find
        self._lookup: Lookup | None = None

    def get(self) -> Credential | None:
        """Return the credential, looked up anew if it runs out; None for anonymous."""
        found = self.known
        if self._lookup is None or (found is not None and found.has_expired()):
            self._lookup = self._find()
        return self._lookup.credential

    @property
    def known(self) -> Credential | None:
        """What was found, if it was looked for yet."""
        return self._lookup.credential if self._lookup else None

    def replace(self, refused: AuthenticationFailed | None = None) -> Credential:
        """Look up anew and return what is found, if it differs from what was refused.

        Raises:
            AuthenticationFailed: `refused`, or one that names the credential.
        """
        old = self.known
        self._lookup = self._find()
        new = self._lookup.credential
        if new is None or new.shows_same_as(old):
            raise refused or AuthenticationFailed(
                f"registry {self._registry!r} refused {old};"
                f" run 'kitline login {self._registry}' to replace the credentials",
                status=401,
            )
        return new

    def missing(self) -> str:
        """Say that there is none, what to do, and what could not be used."""
        hint = f"no credentials were found; run 'kitline login {self._registry}'"
        return "; ".join((hint, *self._notes))

    def describe(self) -> str:
        """Say in words what is used and where it comes from, without any secret."""
        found = self.get()
        return str(found) if found else "; ".join(("no credential found", *self._notes))

    def forget(self, find: Callable[[], Lookup] | None = None) -> None:
        """Look up at next need, by another function if one is given."""
        self._find = find or self._find
        self._lookup = None

    @property
    def _notes(self) -> tuple[str, ...]:
        return self._lookup.notes if self._lookup else ()
