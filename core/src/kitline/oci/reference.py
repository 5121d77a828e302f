"""References: how one names an artifact, `[registry/]repository[:tag][@digest]`.

Source: OCI distribution specification, section "Pulling manifests" (names and tags), with the
rule of docker and kit for what is a registry: a first segment that holds `.` or `:`, or is
`localhost`. A reference without tag and digest never means `latest`.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from kitline.errors import AmbiguousReference, InvalidDigest, InvalidReference
from kitline.frozen import dataclass
from kitline.oci.digest import Digest

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\Z")
_LAYOUT_PREFIXES = {"oci": "oci:", "oci-archive": "oci-archive:"}
NAME_LIMIT = 255
"""Most characters of registry and repository together."""


@dataclass(frozen=True, order=True, kw_only=True)
class Reference:
    """A name of an artifact; without `registry` it is bare and lies in the local store.

    Raises:
        InvalidReference: naming the part that breaks the grammar.
    """

    registry: str | None = None
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        text = self._text()
        if self.registry is not None:
            _check_registry(self.registry, text)
        _check_repository(self.repository, text)
        if self.tag is not None:
            check_tag(self.tag, text)
        if len(self.name) > NAME_LIMIT:
            raise InvalidReference(
                text, "name", f"has {len(self.name)} characters, more than {NAME_LIMIT}"
            )

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `[registry/]repository[:tag][@digest]`."""
        _check_printable(text)
        if "://" in text:
            raise InvalidReference(
                text, "text", "looks like an address; leave the 'scheme://' away"
            )
        name, at, digest_text = text.partition("@")
        digest = _digest(digest_text, text) if at else None
        registry, name = _split_registry(name)
        repository, colon, tag = name.partition(":")
        return cls(
            registry=registry, repository=repository, tag=tag if colon else None, digest=digest
        )

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def is_bare(self) -> bool:
        """Whether no registry is named."""
        return self.registry is None

    def require_target(self) -> Digest | str:
        """Return the digest, else the tag.

        Raises:
            AmbiguousReference: if there is neither; `latest` is never assumed.
        """
        found = self.digest or self.tag
        if found is None:
            raise AmbiguousReference(
                f"{str(self)!r} names no tag and no digest; write '{self}:TAG' or '{self}@sha256:…'"
            )
        return found

    def pin(self, digest: Digest) -> PinnedReference:
        """Return the pinned reference to `digest` in the same repository."""
        return PinnedReference(registry=self.registry, repository=self.repository, digest=digest)

    def with_tag(self, tag: str | None) -> Reference:
        """Return the same repository under another tag, without digest."""
        return Reference(registry=self.registry, repository=self.repository, tag=tag)

    def __str__(self) -> str:
        return self._text()

    def _text(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        registry = f"{self.registry}/" if self.registry is not None else ""
        return f"{registry}{self.repository}{tag}{digest}"


@dataclass(frozen=True, order=True, kw_only=True)
class PinnedReference(Reference):
    """A reference with a digest: the only name that crosses a stage boundary."""

    digest: Digest

    def __post_init__(self) -> None:
        if not isinstance(self.digest, Digest):
            raise InvalidReference(self._text(), "digest", "is missing; a pinned reference has one")
        super().__post_init__()

    @classmethod
    def parse(cls, text: str) -> PinnedReference:
        """Read `[registry/]repository[:tag]@digest`; the tag is dropped, the digest decides."""
        found = Reference.parse(text)
        if found.digest is None:
            raise InvalidReference(text, "digest", "is missing; a pinned reference has one")
        return found.pin(found.digest)


@dataclass(frozen=True, kw_only=True)
class LayoutReference:
    """An artifact in an OCI layout: `oci:FOLDER[:TAG|@DIGEST]`, or `oci-archive:FILE…`."""

    kind: str
    path: Path
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> LayoutReference:
        """Read the text form.

        The last `:` begins a tag if what follows is one; a path with such an ending needs an
        explicit tag or digest.
        """
        _check_printable(text, spaces=True)
        kind = next((k for k, prefix in _LAYOUT_PREFIXES.items() if text.startswith(prefix)), None)
        if kind is None:
            raise InvalidReference(text, "prefix", "is neither 'oci:' nor 'oci-archive:'")
        rest = text[len(_LAYOUT_PREFIXES[kind]) :]
        path, at, digest_text = rest.rpartition("@")
        if at and digest_text.startswith(("sha256:", "sha512:")):
            digest, rest = _digest(digest_text, text), path
        else:
            digest = None
        path, colon, tag = rest.rpartition(":")
        if not colon or not _TAG.match(tag):
            path, tag = rest, ""
        if not path:
            raise InvalidReference(text, "path", "is empty")
        return cls(kind=kind, path=Path(path), tag=tag or None, digest=digest)

    @property
    def name(self) -> str:
        """Prefix and path, without tag and digest."""
        return f"{self.kind}:{self.path}"

    def require_target(self) -> Digest | str | None:
        """Return the digest, else the tag, else None: a layout with one artifact needs neither."""
        return self.digest or self.tag

    def pin(self, digest: Digest) -> LayoutReference:
        """Return the reference to `digest` in the same layout."""
        return LayoutReference(kind=self.kind, path=self.path, digest=digest)

    def with_tag(self, tag: str | None) -> LayoutReference:
        """Return the same layout under another tag, without digest."""
        return LayoutReference(kind=self.kind, path=self.path, tag=tag)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.name + (f"{tag}@{self.digest}" if self.digest else tag)


def parse_reference(text: str) -> Reference | LayoutReference:
    """Read either kind of reference."""
    if text.startswith(tuple(_LAYOUT_PREFIXES.values())):
        return LayoutReference.parse(text)
    return Reference.parse(text)


def keep_tag(digest: Digest) -> str:
    """Return the name of the tag that a kit keeps for itself in a registry."""
    return f"kit-{digest.hex[:32]}"


def is_tag(tag: str) -> bool:
    """Tell whether the distribution specification allows a text as a tag."""
    return _TAG.match(tag) is not None


def check_tag(tag: str, text: str | None = None) -> None:
    """Refuse what the distribution specification does not allow as a tag."""
    if not _TAG.match(tag):
        raise InvalidReference(
            text or tag,
            "tag",
            f"{tag!r} is not 1-128 letters, digits, '_', '.' or '-', beginning without '.' or '-'",
        )


def _check_printable(text: str, *, spaces: bool = False) -> None:
    if not text:
        raise InvalidReference(text, "text", "is empty")
    first = " " if spaces else "!"
    if any(character < first or character == "\x7f" for character in text):
        raise InvalidReference(text, "text", "holds white space or a control character")


def _split_registry(name: str) -> tuple[str | None, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return None, name


def _digest(digest_text: str, text: str) -> Digest:
    try:
        return Digest(digest_text)
    except InvalidDigest as cause:
        raise InvalidReference(text, "digest", f"is malformed: {cause.reason}") from cause


def _check_registry(registry: str, text: str) -> None:
    if registry.startswith("["):
        host, bracket, port = registry[1:].partition("]")
        if not bracket or not _is_ipv6(host):
            raise InvalidReference(text, "registry", f"{registry!r} is not '[IPv6 address]:port'")
        port = port.removeprefix(":") if port.startswith(":") else ("x" if port else "0")
    else:
        host, colon, port = registry.partition(":")
        port = port if colon else "0"
        if not host or not all(_HOST_LABEL.match(label) for label in host.split(".")):
            raise InvalidReference(text, "registry", f"{registry!r} is not a host name or address")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise InvalidReference(text, "registry", f"{registry!r} has a port that is not 0-65535")


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _check_repository(repository: str, text: str) -> None:
    if not repository:
        raise InvalidReference(text, "repository", "is empty")
    for component in repository.split("/"):
        if _COMPONENT.match(component):
            continue
        if component != component.lower() and _COMPONENT.match(component.lower()):
            raise InvalidReference(text, "repository", f"{component!r} must be lower case")
        raise InvalidReference(
            text,
            "repository",
            f"component {component!r} is not lower-case letters and digits,"
            " joined by '.', '_', '__' or '-'",
        )
