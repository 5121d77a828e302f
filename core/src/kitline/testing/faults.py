"""What can go wrong with a registry, as data: `registry.inject(Fault.cut_upload(after=1000))`.

Each constructor of `Fault` is one way to fail. A fault hits requests whose path matches the
regular expression `path`, lets the first `skip` of them pass, and is used up after `times` (None:
never).
"""

from __future__ import annotations

import json
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BLOBS = r"/blobs/sha"
MANIFESTS = r"/manifests/"
UPLOADS = r"/blobs/uploads/"
TAGS = r"/tags/list"
REFERRERS = r"/referrers/"
TRAVERSAL = "sha256:../../../../outside"
"""A digest that would leave a folder of blobs."""

Kind = Literal[
    "answer",
    "cut_upload",
    "cut_download",
    "stall",
    "expire_tokens",
    "alter",
    "digest_header",
    "redirect",
    "upload_location",
    "ignore_range",
    "move_tag",
    "lose_referrer",
    "lose_session",
]
Alteration = Literal["flip", "truncate", "extend"]
_READS = ("GET", "HEAD")
_WRITES = ("PATCH", "PUT")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way in which a registry misbehaves; use the constructors below."""

    kind: Kind
    methods: tuple[str, ...] = ()
    path: str = ""
    times: int | None = 1
    skip: int = 0
    after: int = 0
    seconds: float = 0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    alteration: Alteration = "flip"
    count: int = 1
    host: str = ""
    digest: str = ""
    tag: str = ""
    keep_session: bool = True

    @classmethod
    def cut_upload(
        cls,
        *,
        after: int,
        times: int | None = 1,
        keep_session: bool = True,
        path: str = UPLOADS,
        skip: int = 0,
    ) -> Fault:
        """Close the connection when `after` bytes of a blob have arrived.

        The session stays with its true offset (as in distribution 3 and olareg), or is gone
        (as in docker-registry 2.8).
        """
        return cls(
            kind="cut_upload", methods=_WRITES, path=path, times=times, after=after,
            keep_session=keep_session, skip=skip,
        )  # fmt: skip

    @classmethod
    def cut_download(
        cls, *, after: int, times: int | None = 1, path: str = BLOBS, skip: int = 0
    ) -> Fault:
        """Close the connection when a blob has been sent up to its byte `after`."""
        return cls(
            kind="cut_download", methods=("GET",), path=path, times=times, after=after, skip=skip
        )

    @classmethod
    def stall(
        cls,
        *,
        seconds: float,
        methods: Sequence[str] = (),
        path: str = "/v2/",
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Say nothing for so long before answering (less if the registry is stopped)."""
        return cls(
            kind="stall", methods=tuple(methods), path=path, times=times, seconds=seconds, skip=skip
        )

    @classmethod
    def stall_download(
        cls, *, after: int, seconds: float, times: int | None = 1, path: str = BLOBS
    ) -> Fault:
        """Stop sending for so long at byte `after` of a blob, then close the connection."""
        return cls(
            kind="cut_download", methods=("GET",), path=path, times=times, after=after,
            seconds=seconds,
        )  # fmt: skip

    @classmethod
    def expire_tokens(
        cls,
        *,
        methods: Sequence[str] = (),
        path: str = "/v2/",
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Make all tokens invalid just before a request is looked at."""
        return cls(kind="expire_tokens", methods=tuple(methods), path=path, times=times, skip=skip)

    @classmethod
    def answer(
        cls,
        status: int,
        *,
        code: str = "UNKNOWN",
        message: str = "injected",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        methods: Sequence[str] = (),
        path: str = "/v2/",
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Answer so and do nothing; `body` replaces the usual list of errors."""
        if body is None:
            body = error_body(code, message)
        return cls(
            kind="answer", methods=tuple(methods), path=path, times=times, skip=skip,
            status=status, headers=dict(headers or {}), body=body,
        )  # fmt: skip

    @classmethod
    def too_many_requests(
        cls, *, retry_after: int | str = 0, path: str = "/v2/", times: int | None = 1, skip: int = 0
    ) -> Fault:
        """Answer 429 with Retry-After (seconds or a date)."""
        return cls.answer(
            429, code="TOOMANYREQUESTS", message="rate exceeded", path=path, times=times,
            skip=skip, headers={"Retry-After": str(retry_after)},
        )  # fmt: skip

    @classmethod
    def quota_exceeded(
        cls,
        *,
        status: int = 403,
        methods: Sequence[str] = ("POST", "PUT", "PATCH"),
        path: str = "/v2/",
        times: int | None = None,
        skip: int = 0,
    ) -> Fault:
        """Refuse writes for want of room: 403 DENIED as Harbor, or 413, or 507."""
        return cls.answer(
            status, code="DENIED", methods=methods, path=path, times=times, skip=skip,
            message="adding 1.0 MiB of storage resource, which when updated to current usage"
            " of 9.5 MiB will exceed the configured upper limit of 10.0 MiB.",
        )  # fmt: skip

    @classmethod
    def wrong_bytes(
        cls, *, path: str = BLOBS, times: int | None = 1, after: int = 0, skip: int = 0
    ) -> Fault:
        """Send the right number of bytes with the byte at `after` flipped."""
        return cls(
            kind="alter", methods=("GET",), path=path, times=times, after=after, skip=skip,
            alteration="flip",
        )  # fmt: skip

    @classmethod
    def truncated(cls, *, by: int = 1, path: str = BLOBS, times: int | None = 1) -> Fault:
        """Send too few bytes, with a Content-Length to match."""
        return cls(
            kind="alter", methods=("GET",), path=path, times=times, count=by, alteration="truncate"
        )

    @classmethod
    def over_long(cls, *, by: int = 1, path: str = BLOBS, times: int | None = 1) -> Fault:
        """Send too many bytes, with a Content-Length to match."""
        return cls(
            kind="alter", methods=("GET",), path=path, times=times, count=by, alteration="extend"
        )

    @classmethod
    def wrong_digest_header(
        cls, *, digest: str = "sha256:" + "0" * 64, path: str = "/v2/", times: int | None = 1
    ) -> Fault:
        """Name another `Docker-Content-Digest` than that of the content."""
        return cls(kind="digest_header", path=path, times=times, digest=digest)

    @classmethod
    def redirect(
        cls, host: str, *, path: str = BLOBS, times: int | None = None, scheme: str = "http"
    ) -> Fault:
        """Redirect reads (307) to the same path of another `host:port`, with a signed query."""
        return cls(
            kind="redirect", methods=_READS, path=path, times=times, host=f"{scheme}://{host}"
        )

    @classmethod
    def foreign_upload(cls, host: str, *, times: int | None = None, scheme: str = "http") -> Fault:
        """Send uploads to another `host:port` by an absolute `Location`."""
        return cls(
            kind="upload_location", methods=("POST",), path=UPLOADS, times=times,
            host=f"{scheme}://{host}",
        )  # fmt: skip

    @classmethod
    def ignore_range(cls, *, path: str = BLOBS, times: int | None = None) -> Fault:
        """Answer a Range with 200 and the whole blob."""
        return cls(kind="ignore_range", methods=("GET",), path=path, times=times)

    @classmethod
    def move_tag(cls, tag: str, digest: object, *, skip: int = 1) -> Fault:
        """Point a tag elsewhere after it has been asked for `skip` times."""
        return cls(
            kind="move_tag", methods=_READS, path=f"/manifests/{tag}$", tag=tag,
            digest=str(digest), skip=skip,
        )  # fmt: skip

    @classmethod
    def lose_referrer(cls, *, times: int | None = 1) -> Fault:
        """Take a manifest with a subject, say so, and leave it out of the referrers (olareg)."""
        return cls(kind="lose_referrer", methods=("PUT",), path=MANIFESTS, times=times)

    @classmethod
    def lose_session(cls, *, times: int | None = 1, skip: int = 0) -> Fault:
        """Forget an upload session just before a request to it."""
        return cls(
            kind="lose_session", methods=("PATCH", "PUT", "GET"), path=UPLOADS + ".", times=times,
            skip=skip,
        )  # fmt: skip

    @classmethod
    def traversal_tags(cls, *, times: int | None = None) -> Fault:
        """List tags that are paths."""
        body = json.dumps({"name": "x", "tags": ["../../outside", "/etc/passwd", "v1"]}).encode()
        return cls.answer(
            200, body=body, path=TAGS, times=times, headers={"Content-Type": "application/json"}
        )

    @classmethod
    def traversal_referrers(cls, *, times: int | None = None) -> Fault:
        """List a referrer whose digest is a path."""
        entry = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": TRAVERSAL,
            "size": 10,
            "artifactType": "application/vnd.example",
        }
        media_type = "application/vnd.oci.image.index.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]})
        return cls.answer(
            200, body=body.encode(), path=REFERRERS, times=times,
            headers={"Content-Type": media_type},
        )  # fmt: skip


def error_body(code: str, message: str) -> bytes:
    """Return a list of one error as registries write it."""
    return json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
