"""Blobs of the in-process registry: HEAD, GET with Range, DELETE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.testing.exchange import Answer, error

if TYPE_CHECKING:
    from kitline.testing.armed_faults import Faults
    from kitline.testing.content import Content
    from kitline.testing.exchange import Call
    from kitline.testing.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """Gives blobs."""

    content: Content
    rules: Rules
    faults: Faults

    def get(self, call: Call, name: str, digest: str) -> Answer:
        """Answer GET and HEAD."""
        data = self._find(name, digest)
        if data is None:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
            "Accept-Ranges": "bytes",
        }
        wanted = call.headers.get("range") if call.method == "GET" else None
        if wanted is None or self.faults.take("ignore_range", call.method, call.path):
            return Answer(200, headers, memoryview(data))
        span = _span(wanted, len(data))
        if span is None:
            answer = error(416, "UNKNOWN", "invalid range: failed to overlap")
            answer.headers["Content-Range"] = f"bytes */{len(data)}"
            return answer
        start, end = span
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        return Answer(206, headers, memoryview(data)[start:end], offset=start)

    def delete(self, name: str, digest: str) -> Answer:
        """Answer DELETE."""
        if not self.rules.deletes:
            return error(405, "UNSUPPORTED", "the operation is unsupported")
        with self.content.lock:
            if self._find(name, digest) is None:
                return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
            del self.content.create(name).blobs[digest]
        return Answer(202)

    def _find(self, name: str, digest: str) -> bytes | None:
        repository = self.content.find(name)
        return None if repository is None else repository.blobs.get(digest)


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """Return start and end of `bytes=a-b`, `bytes=a-` or `bytes=-n`; None if not in the blob."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(size - int(found[2]), 0), size
    start = int(found[1])
    end = min(int(found[2]) + 1 if found[2] else size, size)
    return (start, end) if start < end else None
