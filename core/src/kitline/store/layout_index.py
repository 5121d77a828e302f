"""The index of a layout as a value: which manifests are listed, and under which tags.

Source: OCI image specification, image-layout.md. Fields and entries that other programs wrote
are kept as they are.
"""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDescriptor, InvalidManifest
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.json import decode, encode, sorted_map
from kitline.oci.reference import is_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
LAYOUT_BYTES = b'{"imageLayoutVersion":"1.0.0"}'
SIZE_LIMIT = 256 << 20
"""The largest index that is read, in bytes: some hundred thousand entries."""
_OWN_FIELDS = ("schemaVersion", "manifests")


@dataclass(frozen=True, kw_only=True)
class IndexEntry:
    """One listed manifest; `fields` are the JSON as it was read."""

    descriptor: Descriptor
    fields: Mapping[str, Any] = field(hash=False)

    @property
    def tag(self) -> str | None:
        """The tag, if the entry has one."""
        return self.descriptor.annotations.get(media_types.REF_NAME)

    def with_tag(self, tag: str | None) -> IndexEntry:
        """Return the same entry under another tag, or under none."""
        annotations = dict(self.descriptor.annotations)
        annotations.pop(media_types.REF_NAME, None)
        if tag is not None:
            annotations[media_types.REF_NAME] = tag
        fields = {key: value for key, value in self.fields.items() if key != "annotations"}
        if annotations:
            fields["annotations"] = sorted_map(annotations)
        return _entry(fields, "")


@dataclass(frozen=True, kw_only=True)
class LayoutIndex:
    """What `index.json` says; edits return a new value."""

    entries: tuple[IndexEntry, ...] = ()
    other_fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_bytes(cls, raw: bytes, where: str) -> LayoutIndex:
        """Read an index from outside; `where` names its file in messages.

        Raises:
            InvalidManifest: if it is not an image index.
        """
        try:
            fields = decode(raw, limit=SIZE_LIMIT)
            if not isinstance(fields, dict):
                raise InvalidManifest(f"{where}: an index is a JSON object")
            found = fields.get("manifests")
            if fields.get("schemaVersion") != 2:
                raise InvalidManifest(
                    f"{where}: schemaVersion is {fields.get('schemaVersion')!r}, not 2"
                )
            if not isinstance(found, list | None):
                raise InvalidManifest(f"{where}: manifests is not a list")
            entries = tuple(_entry(each, f"manifests[{n}]") for n, each in enumerate(found or ()))
        except InvalidDescriptor as cause:
            raise InvalidManifest(f"{where}: {cause}") from cause
        except ValueError as cause:
            raise InvalidManifest(f"{where} is not valid JSON: {cause}") from cause
        other = {key: value for key, value in fields.items() if key not in _OWN_FIELDS}
        return cls(entries=entries, other_fields=MappingProxyType(other))

    def to_bytes(self) -> bytes:
        """Return the JSON to write."""
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_types.IMAGE_INDEX}
        fields |= self.other_fields
        fields["manifests"] = [dict(each.fields) for each in self.entries]
        return encode(fields)

    def find(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of a listed manifest."""
        found = next((each for each in self.entries if each.descriptor.digest == digest), None)
        return None if found is None else plain(found.descriptor)

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a tag points at.

        Raises:
            InvalidManifest: if the index names the tag for two different manifests.
        """
        found = [each.descriptor for each in self.entries if each.tag == tag]
        if len({each.digest for each in found}) > 1:
            raise InvalidManifest(
                f"tag {tag!r} is listed for {len(found)} different manifests, among them"
                f" {found[0].digest} and {found[1].digest}; set the tag again or ask by digest"
            )
        return plain(found[0]) if found else None

    def tags(self) -> Iterator[str]:
        """Yield the tags; names that are no tags, which other programs may write, are left out."""
        return (each.tag for each in self.entries if each.tag is not None and is_tag(each.tag))

    def descriptors(self) -> list[Descriptor]:
        """Return every listed manifest once, in the order of the index."""
        found = {each.descriptor.digest: each.descriptor for each in reversed(self.entries)}
        return [plain(each) for each in reversed(found.values())]

    def with_manifest(self, manifest: Manifest) -> LayoutIndex:
        """List a manifest, without a tag unless it has one already."""
        if self.find(manifest.digest) is not None:
            return self
        return self._with((*self.entries, _describe(manifest)))

    def with_tag(self, tag: str, manifest: Manifest) -> LayoutIndex:
        """Point a tag at a manifest; what it pointed at before stays listed."""
        current = self.find_tag_entries(tag)
        if [each.descriptor.digest for each in current] == [manifest.digest]:
            return self
        without = self.without_tag(tag).entries
        mine = [each for each in without if each.descriptor.digest == manifest.digest]
        entry = (mine[0] if mine else _describe(manifest)).with_tag(tag)
        rest = [
            each
            for each in without
            if each.tag is not None or each.descriptor.digest != manifest.digest
        ]
        return self._with((*rest, entry))

    def find_tag_entries(self, tag: str) -> list[IndexEntry]:
        """Return the entries under a tag; more than one only if another program erred."""
        return [each for each in self.entries if each.tag == tag]

    def without_tag(self, tag: str) -> LayoutIndex:
        """Take a tag away; its manifest stays listed."""
        kept: list[IndexEntry] = []
        for each in self.entries:
            if each.tag != tag:
                kept.append(each)
            elif not self._is_listed_otherwise(each, kept):
                kept.append(each.with_tag(None))
        return self._with(tuple(kept))

    def _is_listed_otherwise(self, entry: IndexEntry, kept: list[IndexEntry]) -> bool:
        digest = entry.descriptor.digest
        return any(each.descriptor.digest == digest for each in kept) or any(
            each.descriptor.digest == digest and each.tag != entry.tag for each in self.entries
        )

    def without_manifests(self, digests: set[Digest]) -> LayoutIndex:
        """Take manifests away, with every tag that points at them."""
        return self._with(
            tuple(each for each in self.entries if each.descriptor.digest not in digests)
        )

    def _with(self, entries: tuple[IndexEntry, ...]) -> LayoutIndex:
        return LayoutIndex(entries=entries, other_fields=self.other_fields)


def plain(descriptor: Descriptor) -> Descriptor:
    """Return the bare descriptor of a manifest, as `Manifest.descriptor` does."""
    return Descriptor(
        media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size
    )


def _entry(fields: object, where: str) -> IndexEntry:
    descriptor = Descriptor.from_json(fields, where)
    assert isinstance(fields, dict)
    return IndexEntry(descriptor=descriptor, fields=MappingProxyType(fields))


def _describe(manifest: Manifest) -> IndexEntry:
    """Describe a manifest as `oras copy -r` lists it: with what a reader of referrers looks for."""
    annotations = dict(manifest.annotations) if manifest.subject else {}
    annotations.pop(media_types.REF_NAME, None)  # it would make a tag of it
    descriptor = Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        annotations=annotations,
        artifact_type=manifest.kind if manifest.subject else manifest.artifact_type,
    )
    return _entry(descriptor.to_json(), "")
