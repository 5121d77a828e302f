"""What the in-process registry holds: repositories with blobs, manifests, tags and uploads."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class StoredManifest:
    """A manifest as it was pushed."""

    raw: bytes
    media_type: str

    @property
    def fields(self) -> dict[str, Any]:
        """The parsed JSON, empty if it is none."""
        try:
            found = json.loads(self.raw)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class Upload:
    """An open session and what has arrived."""

    content: bytearray = field(default_factory=bytearray)
    state: int = 0
    """Counts requests; part of the `Location`."""
    patches: int = 0


@dataclass
class Repository:
    """One repository; `listed` names the referrers that the API lists."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, StoredManifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)

    def find_manifest(self, reference: str) -> tuple[str, StoredManifest] | None:
        """Return digest and manifest of a tag or digest."""
        digest = reference if ":" in reference else self.tags.get(reference, "")
        found = self.manifests.get(digest)
        return None if found is None else (digest, found)

    def remove_manifest(self, digest: str) -> None:
        """Remove a manifest and the tags that point at it."""
        del self.manifests[digest]
        self.listed.discard(digest)
        for tag in [tag for tag, at in self.tags.items() if at == digest]:
            del self.tags[tag]


class Content:
    """All repositories; tests may put anything in, valid or not."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._repositories: dict[str, Repository] = {}

    def find(self, name: str) -> Repository | None:
        """Return a repository, or None."""
        with self.lock:
            return self._repositories.get(name)

    def create(self, name: str) -> Repository:
        """Return a repository, a new one if there is none."""
        with self.lock:
            return self._repositories.setdefault(name, Repository())

    def names(self) -> list[str]:
        """Return the names of all repositories, sorted."""
        with self.lock:
            return sorted(self._repositories)

    def put_blob(self, repository: str, data: bytes, *, digest: str | None = None) -> str:
        """Store a blob, under a false digest if one is given; return the digest."""
        digest = digest or digest_of(data)
        with self.lock:
            self.create(repository).blobs[digest] = data
        return digest

    def put_manifest(
        self,
        repository: str,
        raw: bytes,
        *,
        media_type: str = IMAGE_MANIFEST,
        tag: str | None = None,
        digest: str | None = None,
        listed: bool = True,
    ) -> str:
        """Store any bytes as a manifest, unchecked; return the digest."""
        digest = digest or digest_of(raw)
        with self.lock:
            found = self.create(repository)
            found.manifests[digest] = StoredManifest(raw, media_type)
            if listed:
                found.listed.add(digest)
            if tag is not None:
                found.tags[tag] = digest
        return digest

    def open_upload(self, repository: str) -> str:
        """Begin a session; return its id."""
        name = uuid.uuid4().hex
        with self.lock:
            self.create(repository).uploads[name] = Upload()
        return name


def digest_of(data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> str:
    """Return the digest, computed here and not by the code under test."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
