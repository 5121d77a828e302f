"""Upload sessions: a place in the registry that takes the bytes of one blob in order.

Source: OCI distribution specification, "Pushing a blob in chunks" and "Resuming an interrupted
upload"; the newest `Location` counts, absolute or relative, with its query.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from kitline.errors import KitlineError, RegistryError
from kitline.store.registry.origin import Origin, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from kitline.oci.digest import Digest
    from kitline.store.registry.body import Reading
    from kitline.store.registry.client import Body, RegistryClient

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})\Z")
_LOST = frozenset({404, 410, 416})


class SessionLost(RegistryError):
    """The registry does not know the session any more, or is at another place in it."""


class Session:
    """One upload session; `offset` bytes of the blob are in it."""

    def __init__(self, client: RegistryClient, location: str, name: str) -> None:
        Origin.of(location)
        self._client = client
        self._name = name
        self.location = location
        self.offset = 0
        self.least_chunk = 0
        self.resumed = False

    def patch(self, reading: Reading, stop: int, *, with_range: bool) -> bool:
        """Send the bytes from `offset` to `stop`; True if the session seems to have ended (201).

        Raises:
            SessionLost: if the session must be begun anew or asked for its offset.
        """
        start = self.offset
        headers = {"Content-Type": "application/octet-stream"}
        if with_range:
            headers["Content-Range"] = f"{start}-{stop - 1}"
        response = self._send(
            "PATCH",
            self.location,
            expect={200, 201, 202, 204},
            headers=headers,
            body=lambda: reading.body(start, stop),
            patience=0.0,
        )
        self._move(response)
        self.offset = stop
        arrived = _arrived(response)
        if arrived is not None and arrived < stop and arrived > start:
            self.offset = arrived
        return response.status_code == 201

    def commit(
        self, digest: Digest, body: bytes | Callable[[], Body], *, patience: float
    ) -> requests.Response:
        """End the session: its bytes become the blob `digest`."""
        join = "&" if "?" in self.location else "?"
        return self._send(
            "PUT",
            f"{self.location}{join}digest={quote(str(digest), safe='')}",
            expect={200, 201, 204},
            headers={"Content-Type": "application/octet-stream"},
            body=body,
            patience=patience,
        )

    def ask(self, size: int) -> bool:
        """Ask how far the session got; False if it is of no use any more."""
        self.resumed = True
        try:
            response = self._client.send(
                "GET",
                self.location,
                f"resume the push of {self._name}",
                expect={200, 204},
                scopes=self._client.scope("pull", "push"),
            )
        except RegistryError:
            return False
        arrived = _arrived(response)
        # `0-0` stands for nothing and for one byte alike: not worth going on with.
        if arrived is None or not 1 < arrived <= size:
            self.cancel()
            return False
        self._move(response)
        self.offset = arrived
        return True

    def cancel(self) -> None:
        """Drop the session, if the registry still listens."""
        with suppress(KitlineError):
            self._client.send(
                "DELETE",
                self.location,
                "cancel an upload",
                expect=range(200, 500),
                scopes=self._client.scope("pull", "push"),
                tries=1,
            )

    def _send(
        self,
        method: str,
        url: str,
        *,
        expect: set[int],
        headers: dict[str, str],
        body: bytes | Callable[[], Body],
        patience: float,
    ) -> requests.Response:
        response = self._client.send(
            method,
            url,
            f"push {self._name} to {self._client.registry}/{self._client.repository}",
            expect=expect | _LOST,
            scopes=self._client.scope("pull", "push"),
            headers=headers,
            body=body,
            tries=1,
            patience_for_answer=patience,
        )
        if response.status_code in _LOST:
            raise SessionLost(
                f"push {self._name}: the registry gave the upload up (HTTP {response.status_code})",
                status=response.status_code,
            )
        return response

    def _move(self, response: requests.Response) -> None:
        if location := response.headers.get("Location"):
            self.location = follow(self.location, location)


def start_session(client: RegistryClient, name: str) -> Session:
    """Ask the registry for a new session."""
    url = client.url("blobs/uploads/")
    response = client.send(
        "POST",
        url,
        f"push {name} to {client.registry}/{client.repository}",
        expect={202},
        scopes=client.scope("pull", "push"),
        headers={"Content-Length": "0"},
    )
    return session_of(client, url, response, name)


def session_of(client: RegistryClient, url: str, response: requests.Response, name: str) -> Session:
    """Return the session that an answer with 202 began."""
    location = response.headers.get("Location")
    if not location:
        raise RegistryError(f"push {name}: the registry began an upload without a Location")
    session = Session(client, follow(url, location), name)
    least = response.headers.get("OCI-Chunk-Min-Length", "")
    if least.isascii() and least.isdigit() and len(least) < 13:
        session.least_chunk = int(least)
    return session


def _arrived(response: requests.Response) -> int | None:
    """Return how many bytes are there according to the Range header."""
    found = _RANGE.match(response.headers.get("Range", "").strip())
    return int(found[1]) + 1 if found else None
