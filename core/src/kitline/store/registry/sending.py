"""Sending: one blob into the registry, and after a fault on from where the registry stopped.

1. Digest known, one request: POST, PUT with the body; the last piece leaves when the digest holds.
2. Digest unknown: POST, PATCH while a thread hashes, PUT `?digest=`.
3. After a fault the session tells how far it got, and a PATCH brings the rest; a lost session
   is begun anew. A journal lets a later process do the same.

Source: OCI distribution specification, "Pushing blobs"; measured differences in the reference.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.errors import (
    DigestMismatch,
    KitlineError,
    QuotaExceeded,
    RegistryError,
    RegistryUnreachable,
    SourceError,
    VerificationError,
)
from kitline.store.registry.blobs import has_blob
from kitline.store.registry.journal import open_entry
from kitline.store.registry.manifests import stated_digest
from kitline.store.registry.retry import Patience
from kitline.store.registry.upload_session import Session, SessionLost, start_session

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.store.registry.body import Reading
    from kitline.store.registry.client import RegistryClient
    from kitline.store.registry.journal import JournalEntry
    from kitline.store.registry.limits import Limits

MIB = 1 << 20
SMALL = 4 * MIB
"""Blobs up to this size (bytes) are not worth resuming."""
_NO_PATCH = frozenset({405, 416, 501})
_COMMIT_RATE = 50 * MIB
"""Bytes per second at which even a slow registry checks and moves an upload when it commits."""


class Upload:
    """One blob on its way; `run` ends when the registry has it."""

    def __init__(
        self, client: RegistryClient, reading: Reading, digest: Digest | None, limits: Limits
    ) -> None:
        self._client = client
        self._reading = reading
        self._digest = digest
        self._limits = limits
        self._one_put = limits.monolithic or not client.takes_patches
        self._size = reading.source.size
        self._session: Session | None = None
        self._journal: JournalEntry | None = None
        self._corrupt = False

    def run(self) -> Digest:
        name = f"{self._client.registry}/{self._client.repository}"
        if not self._one_put and self._size > SMALL:
            folder = self._client.options.journal
            self._journal = open_entry(folder, name, self._reading.source)
        try:
            self._take_up()
            digest = self._persist()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            if self._journal is not None:
                self._journal.close()
        return digest

    def _persist(self) -> Digest:
        """Send, and after each fault go on, as long as the registry gets further."""
        patience = Patience(self._client.options.retry)
        furthest = self._session.offset if self._session else 0
        while True:
            try:
                return self._send_in_pieces()
            except (RegistryUnreachable, SessionLost) as fault:
                if fault is self._reading.failure:
                    raise
                if self._session is not None and self._session.offset > furthest:
                    furthest = self._session.offset
                    patience.progress()
                if not patience.wait(getattr(fault, "pause", None)):
                    raise
                if self._is_committed():
                    return self._reading.digest()
                self._recover(lost=isinstance(fault, SessionLost) and self._is_hopeless(fault))
                if self._session is not None and self._session.offset > furthest:
                    furthest = self._session.offset
                    patience.progress()

    def _send_in_pieces(self) -> Digest:
        """Send; where a proxy refuses large requests (413), in smaller and smaller ones."""
        while True:
            try:
                return self._send()
            except RegistryError as refused:
                smaller = self._chunk(self._session) // 8
                is_limit = refused.status == 413 and not isinstance(refused, QuotaExceeded)
                if not is_limit or self._one_put or smaller < MIB:
                    raise
                self._client.largest_body = min(64 * MIB, smaller)
                self._cancel()

    def _send(self) -> Digest:
        if self._session is None:
            self._session = start_session(self._client, self._reading.name)
            self._note()
        session, one_put = self._session, self._fits_one_put()
        if one_put and session.offset == 0 and self._digest is not None:
            return self._commit(session, self._digest, whole=True)
        while session.offset < self._size:
            stop = self._next_stop(session)
            whole = stop == self._size and session.offset == 0
            try:
                ended = session.patch(self._reading, stop, with_range=not whole)
            except RegistryError as refused:
                if session.offset or session.resumed or refused.status not in _NO_PATCH:
                    raise
                ended = True
            if ended and not self._takes_patches(session):
                return self._send()
            self._note()
        return self._commit(session, self._reading.digest(), whole=False)

    def _takes_patches(self, session: Session) -> bool:
        """Change to one PUT, where a first PATCH was refused or has closed the session.

        ghcr.io answers 416 above 4 MiB, ECR 201; both may hide behind another name.
        """
        if session.offset == self._size and session.ask(self._size):
            return True
        self._cancel()
        self._digest = self._reading.digest()
        self._client.takes_patches = False
        self._one_put = True
        return False

    def _fits_one_put(self) -> bool:
        """Whether a blob of known digest goes in one PUT."""
        if self._one_put:
            return True
        return self._size <= self._chunk(self._session)

    def _next_stop(self, session: Session) -> int:
        """Return where the next PATCH ends: no chunk below the registry's minimum is left over."""
        stop = session.offset + self._chunk(session)
        return self._size if self._size - stop < max(session.least_chunk, 1) else stop

    def _chunk(self, session: Session | None) -> int:
        """Return the size of one PATCH: all, unless options or the registry limit it."""
        chunk = self._client.largest_body or self._client.options.chunk_size
        if chunk is None and self._limits.single is not None and self._size > self._limits.single:
            chunk = self._limits.chunk
        least = session.least_chunk if session else 0
        return max(1, self._size if chunk is None else max(chunk, least))

    def _commit(self, session: Session, digest: Digest, *, whole: bool) -> Digest:
        reading = self._reading
        try:
            response = session.commit(
                digest,
                (lambda: reading.body(0, self._size)) if whole and self._size else b"",
                patience=self._size / _COMMIT_RATE,
            )
        except RegistryError as error:
            # 400: what arrived is not what was read. After a fault that is worth one more go.
            if error.status != 400 or not session.resumed or self._corrupt:
                raise
            self._corrupt = True
            session.cancel()
            raise SessionLost(str(error)) from error
        self._session = None
        if self._journal is not None:
            self._journal.forget()
        stated = stated_digest(response)
        if stated not in (None, digest):
            raise DigestMismatch(f"push {reading.name}", expected=str(digest), actual=str(stated))
        return digest

    def _take_up(self) -> None:
        """Go on with what an earlier process began."""
        if self._journal is None or self._journal.location is None:
            return
        with suppress(RegistryError):
            self._session = Session(self._client, self._journal.location, self._reading.name)
            self._recover(lost=False)

    def _recover(self, *, lost: bool) -> None:
        """Ask the session how far it got; without an answer there is no session any more."""
        session, self._session = self._session, None
        if session is None or lost or self._one_put:
            return
        if session.ask(self._size):
            self._session = session
            self._reading.reached(session.offset)
        elif self._journal is not None:
            self._journal.forget()

    def _is_hopeless(self, fault: SessionLost) -> bool:
        """Tell whether asking for the offset is no use: gone, or asked before (416)."""
        return fault.status != 416 or self._session is None or self._session.resumed

    def _is_committed(self) -> bool:
        """Tell whether only the answer to a commit was lost."""
        if self._digest is None and self._reading.unread:
            return False
        with suppress(KitlineError):
            return has_blob(self._client, self._digest or self._reading.digest())
        return False

    def _note(self) -> None:
        if self._journal is not None and self._session is not None:
            self._journal.remember(self._session.location)

    def _cancel(self) -> None:
        if self._session is not None:
            self._session.cancel()
            self._session = None
        if self._journal is not None:
            self._journal.forget()

    def _give_up(self, error: BaseException) -> None:
        """Leave no session behind, unless a later call can go on with it."""
        final = isinstance(error, VerificationError | RegistryError | SourceError)
        kept = self._journal is not None and not final
        if not kept:
            self._cancel()
