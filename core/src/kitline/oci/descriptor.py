"""Descriptors: what content is asked for by (media type, digest, size).

Source: OCI image specification, descriptor.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDescriptor, InvalidDigest
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.oci.json import sorted_map

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\Z"
)
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """Names content by its digest and says what it is (`size` in bytes).

    Raises:
        InvalidDescriptor: if a field breaks the specification.
    """

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    data: bytes | None = None
    platform: Mapping[str, Any] | None = field(default=None, hash=False)
    artifact_type: str | None = None

    def __post_init__(self) -> None:
        check_media_type(self.media_type, "mediaType")
        if self.artifact_type is not None:
            check_media_type(self.artifact_type, "artifactType")
        if not 0 <= self.size <= _MAX_SIZE:
            raise InvalidDescriptor("size", f"{self.size} is out of range")
        object.__setattr__(self, "annotations", MappingProxyType(dict(self.annotations)))

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Descriptor:
        """Read a descriptor from parsed JSON; `where` is its place, for error messages."""
        prefix = f"{where}." if where else ""
        fields = _expect(value, dict, where)
        try:
            digest = Digest(_expect(fields.get("digest"), str, f"{prefix}digest"))
        except InvalidDigest as cause:
            raise InvalidDescriptor(f"{prefix}digest", str(cause)) from cause
        try:
            return cls(
                media_type=_expect(fields.get("mediaType"), str, f"{prefix}mediaType"),
                digest=digest,
                size=_expect(fields.get("size"), int, f"{prefix}size"),
                urls=read_texts(fields.get("urls"), f"{prefix}urls"),
                annotations=read_annotations(fields.get("annotations"), f"{prefix}annotations"),
                data=_read_data(fields.get("data"), f"{prefix}data"),
                platform=_optional(fields.get("platform"), dict, f"{prefix}platform"),
                artifact_type=_optional(
                    fields.get("artifactType") or None, str, f"{prefix}artifactType"
                ),
            )
        except InvalidDescriptor as cause:
            if cause.where.startswith(prefix):
                raise
            raise InvalidDescriptor(prefix + cause.where, cause.reason) from cause

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as a dict in the key order that Go tools write."""
        result: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            result["urls"] = list(self.urls)
        if self.annotations:
            result["annotations"] = sorted_map(self.annotations)
        if self.data is not None:
            result["data"] = base64.b64encode(self.data).decode()
        if self.platform is not None:
            result["platform"] = dict(self.platform)
        if self.artifact_type:
            result["artifactType"] = self.artifact_type
        return result


def check_media_type(text: str, where: str) -> None:
    """Refuse what RFC 6838 does not allow as a media type."""
    if not _MEDIA_TYPE.match(text):
        raise InvalidDescriptor(where, f"{text[:200]!r} is not a media type")


def read_annotations(value: object, where: str) -> dict[str, str]:
    """Read an annotations object; null and absence mean none."""
    found = _optional(value, dict, where) or {}
    for key, text in found.items():
        if not isinstance(text, str):
            raise InvalidDescriptor(f"{where}[{key!r}]", "is not a text")
    return found


def read_texts(value: object, where: str) -> tuple[str, ...]:
    """Read a list of texts; null and absence mean none."""
    found = _optional(value, list, where) or []
    for number, text in enumerate(found):
        _expect(text, str, f"{where}[{number}]")
    return tuple(found)


def _read_data(value: object, where: str) -> bytes | None:
    text = _optional(value, str, where)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise InvalidDescriptor(where, "is not base64") from cause


_KINDS = {dict: "an object", list: "a list", str: "a text", int: "an integer"}


def _expect(value: object, kind: type, where: str) -> Any:
    if value is None:
        raise InvalidDescriptor(where, "is missing")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidDescriptor(where, f"is not {_KINDS[kind]}")
    return value


def _optional(value: object, kind: type, where: str) -> Any:
    return None if value is None else _expect(value, kind, where)
