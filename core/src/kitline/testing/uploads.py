"""Upload sessions of the in-process registry: POST, PATCH, PUT, GET and DELETE.

Source: OCI distribution specification, section "Pushing blobs", with what distribution 3.1 does
where the specification leaves a choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kitline.frozen import dataclass
from kitline.testing.content import Upload, digest_of
from kitline.testing.exchange import Answer, Disconnect, error

if TYPE_CHECKING:
    from kitline.testing.armed_faults import Faults
    from kitline.testing.content import Content
    from kitline.testing.exchange import Call
    from kitline.testing.rules import Rules

_DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})\Z")


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Takes blobs in."""

    content: Content
    rules: Rules
    faults: Faults
    base: str

    def begin(self, call: Call, name: str) -> Answer:
        """Answer POST: mount, take the whole blob, or open a session."""
        mounted = self._mount(call, name)
        if mounted is not None:
            return mounted
        session = self.content.open_upload(name)
        upload = self.content.create(name).uploads[session]
        if self.rules.single_post and call.argument("digest"):
            return self.finish(call, name, session)
        answer = self._status(202, name, session, upload)
        if self.rules.chunk_minimum:
            answer.headers["OCI-Chunk-Min-Length"] = str(self.rules.chunk_minimum)
        foreign = self.faults.take("upload_location", call.method, call.path)
        if foreign is not None:
            answer.headers["Location"] = foreign.host + self._location(name, session, upload)
        return answer

    def status(self, call: Call, name: str, session: str) -> Answer:
        """Answer GET: how much has arrived."""
        upload = self._find(call, name, session)
        return self._unknown() if upload is None else self._status(204, name, session, upload)

    def append(self, call: Call, name: str, session: str) -> Answer:
        """Answer PATCH: take the next bytes."""
        upload = self._find(call, name, session)
        if upload is None or (self.rules.one_patch and upload.patches):
            return self._unknown()
        length, limit = call.length, self.rules.patch_limit
        if limit is not None and (length is None or length > limit):
            return self._status(416, name, session, upload)
        refusal = self._check_range(call, name, session, upload)
        if refusal is not None:
            return refusal
        self._receive(call, name, session, upload)
        upload.patches += 1
        upload.state += 1
        return self._status(201 if self.rules.one_patch else 202, name, session, upload)

    def finish(self, call: Call, name: str, session: str) -> Answer:
        """Answer PUT: take the last bytes and compare the digest."""
        upload = self._find(call, name, session)
        if upload is None:
            return self._unknown()
        digest = call.argument("digest") or ""
        if not _DIGEST.match(digest):
            return error(400, "DIGEST_INVALID", "digest parsing failed")
        refusal = self._check_range(call, name, session, upload)
        if refusal is not None:
            return refusal
        self._receive(call, name, session, upload)
        return self._keep(name, session, upload, digest)

    def cancel(self, call: Call, name: str, session: str) -> Answer:
        """Answer DELETE."""
        if self._find(call, name, session) is None:
            return self._unknown()
        self._drop(name, session)
        return Answer(204)

    def _keep(self, name: str, session: str, upload: Upload, digest: str) -> Answer:
        data = bytes(upload.content)
        self._drop(name, session)
        if digest_of(data, digest.partition(":")[0]) != digest:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        with self.content.lock:
            repository = self.content.create(name)
            used = sum(len(blob) for blob in repository.blobs.values())
            if self.rules.quota is not None and used + len(data) > self.rules.quota:
                return error(403, "DENIED", f"will exceed the upper limit of {self.rules.quota}")
            repository.blobs.setdefault(digest, data)
        return self._created(name, digest)

    def _mount(self, call: Call, name: str) -> Answer | None:
        digest, origin = call.argument("mount"), call.argument("from")
        if not digest or not origin:
            return None
        with self.content.lock:
            source = self.content.find(origin)
            if source is None or digest not in source.blobs:
                return None
            self.content.create(name).blobs[digest] = source.blobs[digest]
        return self._created(name, digest)

    def _created(self, name: str, digest: str) -> Answer:
        location = self._absolute(f"/v2/{name}/blobs/{digest}")
        return Answer(201, {"Location": location, "Docker-Content-Digest": digest})

    def _receive(self, call: Call, name: str, session: str, upload: Upload) -> None:
        armed = self.faults.find("cut_upload", call.method, call.path)
        start = len(upload.content)
        try:
            for block in call.blocks():
                room = -1 if armed is None else armed.fault.after - len(upload.content)
                if armed and start <= armed.fault.after and len(block) > room >= 0:
                    if self.faults.use(armed):
                        upload.content += block[:room]
                        call.received -= len(block) - room
                        self._lose(name, session, keep=armed.fault.keep_session)
                        raise Disconnect
                    armed = None
                upload.content += block
        except Disconnect:
            self._lose(name, session, keep=self.rules.keeps_cut_sessions)
            raise

    def _lose(self, name: str, session: str, *, keep: bool) -> None:
        if not keep:
            self._drop(name, session)

    def _check_range(self, call: Call, name: str, session: str, upload: Upload) -> Answer | None:
        stated = call.headers.get("content-range")
        if stated is None:
            return None
        found = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?", stated)
        start = int(found[1]) if found else -1
        if start != len(upload.content):
            return self._status(416, name, session, upload)
        expected = int(found[2]) - start + 1 if found else 0
        if call.length is not None and call.length != expected:
            return error(400, "SIZE_INVALID", "content length does not match the content range")
        minimum = self.rules.chunk_minimum
        if minimum and call.method == "PATCH" and expected < minimum:
            return self._status(416, name, session, upload)
        return None

    def _find(self, call: Call, name: str, session: str) -> Upload | None:
        if self.faults.take("lose_session", call.method, call.path):
            self._drop(name, session)
        repository = self.content.find(name)
        upload = None if repository is None else repository.uploads.get(session)
        stale = upload is not None and call.argument("_state") != str(upload.state)
        return None if self.rules.strict_locations and stale else upload

    def _drop(self, name: str, session: str) -> None:
        with self.content.lock:
            self.content.create(name).uploads.pop(session, None)

    def _status(self, status: int, name: str, session: str, upload: Upload) -> Answer:
        headers = {
            "Location": self._absolute(self._location(name, session, upload)),
            "Range": f"0-{max(len(upload.content) - 1, 0)}",
            "Docker-Upload-UUID": session,
        }
        return Answer(status, headers)

    def _location(self, name: str, session: str, upload: Upload) -> str:
        return f"/v2/{name}/blobs/uploads/{session}?{urlencode({'_state': upload.state})}"

    def _unknown(self) -> Answer:
        status = self.rules.unknown_session
        return error(status, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")

    def _absolute(self, path: str) -> str:
        return path if self.rules.relative_locations else self.base + path
