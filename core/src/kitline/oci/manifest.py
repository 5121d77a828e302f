"""Manifests and indexes: their bytes are kept, and their digest is that of those bytes.

Source: OCI image specification, manifest.md and image-index.md.
"""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDescriptor, InvalidManifest
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor, check_media_type, read_annotations
from kitline.oci.digest import Digest
from kitline.oci.json import decode, encode, sorted_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIZE_LIMIT = 4 << 20
"""The largest manifest that kitline reads or writes, in bytes; most registries refuse more."""

EMPTY_CONFIG = Descriptor(media_type=media_types.EMPTY, digest=Digest.of(b"{}"), size=2)
"""The specification's empty descriptor: two bytes, `{}`."""

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Exact bytes and what they say. Use `Manifest.from_bytes` for bytes from outside."""

    raw: bytes = field(repr=False)
    media_type: str
    digest: Digest
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def size(self) -> int:
        """Length of the bytes."""
        return len(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor that names this manifest, without annotations."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)

    @property
    def kind(self) -> str | None:
        """What the artifact is: its artifact type, else its config's media type."""
        return self.artifact_type

    @property
    def references(self) -> tuple[Descriptor, ...]:
        """Everything that must be there before this manifest is, in order, each digest once."""
        return ()

    @staticmethod
    def from_bytes(raw: bytes, *, media_type: str | None = None) -> ImageManifest | ImageIndex:
        """Read a manifest or an index; `media_type` is what the store says that it is.

        Raises:
            InvalidManifest: if the bytes break the specification.
        """
        if len(raw) > SIZE_LIMIT:
            raise InvalidManifest(
                f"a manifest of {len(raw)} bytes is over the limit of {SIZE_LIMIT}"
            )
        try:
            fields = decode(raw)
            if not isinstance(fields, dict):
                raise InvalidManifest("a manifest is a JSON object")
            return _read(raw, fields, media_type)
        except InvalidDescriptor as cause:
            raise InvalidManifest(f"manifest: {cause}") from cause
        except ValueError as cause:
            raise InvalidManifest(f"a manifest is not valid JSON: {cause}") from cause


@dataclass(frozen=True, kw_only=True)
class ImageManifest(Manifest):
    """A manifest with a config and layers."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()

    @property
    def kind(self) -> str | None:
        return self.artifact_type or self.config.media_type

    @property
    def references(self) -> tuple[Descriptor, ...]:
        return tuple({each.digest: each for each in (*self.layers, self.config)}.values())

    @classmethod
    def build(
        cls,
        *,
        config: Descriptor,
        layers: Sequence[Descriptor],
        artifact_type: str | None = None,
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] = _NONE,
    ) -> ImageManifest:
        """Serialise a manifest once, in the key order that Go tools write."""
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_types.IMAGE_MANIFEST}
        if artifact_type:
            fields["artifactType"] = artifact_type
        fields["config"] = config.to_json()
        fields["layers"] = [layer.to_json() for layer in layers]
        if subject:
            fields["subject"] = subject.to_json()
        if annotations:
            fields["annotations"] = sorted_map(annotations)
        manifest = Manifest.from_bytes(encode(fields))
        assert isinstance(manifest, ImageManifest)
        return manifest


@dataclass(frozen=True, kw_only=True)
class ImageIndex(Manifest):
    """A list of manifests."""

    manifests: tuple[Descriptor, ...] = ()

    @property
    def references(self) -> tuple[Descriptor, ...]:
        return tuple({each.digest: each for each in self.manifests}.values())

    @classmethod
    def build(
        cls,
        *,
        manifests: Sequence[Descriptor],
        artifact_type: str | None = None,
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] = _NONE,
    ) -> ImageIndex:
        """Serialise an index once, in the key order that Go tools write."""
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_types.IMAGE_INDEX}
        if artifact_type:
            fields["artifactType"] = artifact_type
        fields["manifests"] = [each.to_json() for each in manifests]
        if subject:
            fields["subject"] = subject.to_json()
        if annotations:
            fields["annotations"] = sorted_map(annotations)
        index = Manifest.from_bytes(encode(fields))
        assert isinstance(index, ImageIndex)
        return index


def _read(raw: bytes, fields: dict[str, Any], stated: str | None) -> ImageManifest | ImageIndex:
    if fields.get("schemaVersion") != 2:
        raise InvalidManifest(f"schemaVersion is {fields.get('schemaVersion')!r}, not 2")
    media_type = _media_type(fields, stated)
    subject, artifact_type = fields.get("subject"), fields.get("artifactType") or None
    if artifact_type is not None:
        if not isinstance(artifact_type, str):
            raise InvalidManifest("artifactType is not a text")
        check_media_type(artifact_type, "artifactType")
    common: dict[str, Any] = {
        "raw": bytes(raw),
        "media_type": media_type,
        "digest": Digest.of(raw),
        "artifact_type": artifact_type,
        "subject": None if subject is None else Descriptor.from_json(subject, "subject"),
        "annotations": MappingProxyType(read_annotations(fields.get("annotations"), "annotations")),
    }
    if media_type in media_types.INDEXES:
        return ImageIndex(manifests=_descriptors(fields, "manifests"), **common)
    config = Descriptor.from_json(fields.get("config"), "config")
    return ImageManifest(config=config, layers=_descriptors(fields, "layers"), **common)


def _media_type(fields: dict[str, Any], stated: str | None) -> str:
    written = fields.get("mediaType")
    if written is not None and not isinstance(written, str):
        raise InvalidManifest("mediaType is not a text")
    if stated not in (*media_types.MANIFESTS, *media_types.INDEXES):
        stated = None
    if written and stated and written != stated:
        raise InvalidManifest(f"mediaType is {written!r}, but it was served as {stated!r}")
    if "config" in fields and "manifests" in fields:
        raise InvalidManifest("both a manifest (config) and an index (manifests)")
    guessed = media_types.IMAGE_INDEX if "manifests" in fields else media_types.IMAGE_MANIFEST
    media_type = written or stated or guessed
    if media_type not in (*media_types.MANIFESTS, *media_types.INDEXES):
        raise InvalidManifest(f"mediaType {media_type[:200]!r} is neither a manifest nor an index")
    return media_type


def _descriptors(fields: dict[str, Any], name: str) -> tuple[Descriptor, ...]:
    """Read a list of descriptors; null is an empty list, as Go writes it."""
    found = fields.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise InvalidManifest(f"{name} is not a list")
    return tuple(Descriptor.from_json(each, f"{name}[{n}]") for n, each in enumerate(found))
