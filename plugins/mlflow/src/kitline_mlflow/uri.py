"""Addresses: how MLflow names a kit, or a file in it.

`modelkit://host[:port]/repository[:tag][@sha256:<64 hex>][/path]`, or with an empty host for the
local store, `modelkit:///repository@sha256:…[/path]`. Tag or digest is required; the digest
decides. `oci://` is read in the same way. Nothing is decoded or guessed: what does not fit is
refused, since MLflow stores any text as a source and gives it to whoever loads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kitline.errors import InvalidDigest, InvalidReference
from kitline.plugin import Digest, Reference, without_passwords

SCHEME = "modelkit"
SCHEMES = (SCHEME, "oci")
MODEL = "model"
"""The word for the drawer that MLflow loads."""

_FORBIDDEN = re.compile(
    r"[\\%?#\x00-\x20\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ud800-\udfff]"
)
_NAME = re.compile(
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^/@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
    r"(?:/(?P<path>.*))?\Z"
)


@dataclass(frozen=True, kw_only=True)
class ModelkitURI:
    """A kit, and a path in it; `reference` is pinned unless the address has only a tag.

    Raises:
        InvalidReference: naming the part that breaks the grammar.
    """

    reference: Reference
    path: str = ""
    """A path in the unpacked tree or a drawer's word; empty for the kit as a whole."""

    def __post_init__(self) -> None:
        if self.reference.tag is None and self.reference.digest is None:
            raise InvalidReference(self.text, "name", "has neither a tag nor a digest")
        _check_registry(self.reference, self.text)
        _check_path(self.path, self.text)

    @classmethod
    def parse(cls, text: str) -> ModelkitURI:
        """Read an address; scheme and host are lower-cased, a slash at the end is dropped."""
        shown = _shown(text)
        bad = _FORBIDDEN.search(text)
        if bad:
            raise InvalidReference(shown, "text", f"holds {bad[0]!r}")
        scheme, colon, rest = text.partition(":")
        if not colon or scheme.lower() not in SCHEMES:
            raise InvalidReference(shown, "scheme", f"is not {SCHEME!r}")
        if not rest.startswith("//"):
            raise InvalidReference(shown, "scheme", "is not followed by '//'")
        host, slash, name = rest[2:].partition("/")
        if "@" in host:
            raise InvalidReference(
                shown, "host", "holds '@'; a user or a digest has no place there"
            )
        if not slash:
            raise InvalidReference(shown, "repository", "is missing")
        return _read_name(host.lower(), name, shown)

    @property
    def is_local(self) -> bool:
        """Whether the kit lies in the local store."""
        return self.reference.registry is None

    @property
    def text(self) -> str:
        """The address in its one spelling, without tag if there is a digest."""
        found = self.reference
        name = found.pin(found.digest) if found.digest else found
        host = "/" if self.is_local else ""
        return f"{SCHEME}://{host}{name}" + (f"/{self.path}" if self.path else "")

    def __str__(self) -> str:
        return self.text


def model_source(pinned: Reference) -> str:
    """Return the source of a model version: the kit's model drawer, by digest.

    Raises:
        InvalidReference: if the reference has no digest.
    """
    if pinned.digest is None:
        raise InvalidReference(str(pinned), "digest", "is missing; a source in MLflow is pinned")
    return ModelkitURI(reference=pinned.pin(pinned.digest), path=MODEL).text


def _read_name(host: str, name: str, shown: str) -> ModelkitURI:
    found = _NAME.match(name)
    if found is None:
        raise InvalidReference(
            shown, "name", "is not 'repository[:tag][@sha256:<64 hex digits>][/path]'"
        )
    if found["digest"] is None and found["tag"] is None:
        raise InvalidReference(shown, "name", "has neither a tag nor a digest")
    reference = Reference(
        registry=host or None,
        repository=found["repository"],
        tag=found["tag"],
        digest=_digest(found["digest"], shown),
    )
    if reference.digest is not None:
        reference = reference.pin(reference.digest)
    path = found["path"] or ""
    return ModelkitURI(reference=reference, path=path.removesuffix("/"))


def _digest(text: str | None, shown: str) -> Digest | None:
    try:
        return None if text is None else Digest(text)
    except InvalidDigest as cause:
        raise InvalidReference(shown, "digest", f"is malformed: {cause.reason}") from cause


def _check_registry(reference: Reference, text: str) -> None:
    """Refuse a host that would read as part of the repository, and the other way round."""
    if Reference.parse(str(reference)).registry != reference.registry:
        raise InvalidReference(
            text,
            "host",
            "is not clearly a registry or the local store; write 'host:port' or 'host.domain',"
            f" or '{SCHEME}:///repository' for the local store",
        )


def _check_path(path: str, text: str) -> None:
    for segment in path.split("/") if path else ():
        if segment in ("", ".", ".."):
            raise InvalidReference(text, "path", f"holds the segment {segment!r}")
    bad = _FORBIDDEN.search(path) or re.search("@sha256:", path)
    if bad:
        raise InvalidReference(text, "path", f"holds {bad[0]!r}")


def _shown(text: str) -> str:
    return without_passwords(text if len(text) < 300 else text[:300] + "…")
