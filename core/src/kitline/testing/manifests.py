"""Manifests, tags and referrers of the in-process registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from kitline.frozen import dataclass
from kitline.testing.content import IMAGE_INDEX, StoredManifest, digest_of
from kitline.testing.exchange import Answer, error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.testing.armed_faults import Faults
    from kitline.testing.content import Content, Repository
    from kitline.testing.exchange import Call
    from kitline.testing.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """Takes and gives manifests."""

    content: Content
    rules: Rules
    faults: Faults

    def get(self, call: Call, name: str, reference: str) -> Answer:
        """Answer GET and HEAD by tag or digest."""
        with self.content.lock:
            repository = self.content.find(name)
            if repository is None:
                return error(404, "NAME_UNKNOWN", "repository name not known to registry")
            moved = self.faults.take("move_tag", call.method, call.path)
            if moved is not None:
                repository.tags[moved.tag] = moved.digest
            found = repository.find_manifest(reference)
        if found is None or not self._is_accepted(call, found[1]):
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        digest, manifest = found
        headers = {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
        }
        return Answer(200, headers, manifest.raw)

    def put(self, call: Call, name: str, reference: str) -> Answer:
        """Answer PUT by tag or digest."""
        raw = call.read_all()
        digest = reference if ":" in reference else digest_of(raw)
        with self.content.lock:
            repository = self.content.create(name)
            refusal = self._check(call, repository, raw, reference)
            if refusal is not None:
                return refusal
            manifest = StoredManifest(raw, call.headers.get("content-type", ""))
            repository.manifests[digest] = manifest
            tags = call.query.get("tag", []) if self.rules.multi_tag else []
            for tag in [*tags, *([] if ":" in reference else [reference])]:
                repository.tags[tag] = digest
            subject = (manifest.fields.get("subject") or {}).get("digest")
            if subject and not self.faults.take("lose_referrer", call.method, call.path):
                repository.listed.add(digest)
        headers = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
        if subject and self.rules.referrers_api:
            headers["OCI-Subject"] = subject
        if tags:
            headers["OCI-Tag"] = ", ".join(tags)
        return Answer(201, headers)

    def delete(self, name: str, reference: str) -> Answer:
        """Answer DELETE by tag (which keeps the manifest) or digest."""
        if not self.rules.deletes:
            return error(405, "UNSUPPORTED", "the operation is unsupported")
        with self.content.lock:
            repository = self.content.create(name)
            if repository.find_manifest(reference) is None:
                return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            if ":" in reference:
                repository.remove_manifest(reference)
            elif not self.rules.tag_deletes:
                return error(400, "DIGEST_INVALID", "provided digest did not match")
            else:
                del repository.tags[reference]
        return Answer(202)

    def tags(self, call: Call, name: str) -> Answer:
        """Answer the list of tags, in pages."""
        repository = self.content.find(name)
        if repository is None:
            return error(404, "NAME_UNKNOWN", "repository name not known to registry")
        with self.content.lock:
            tags = sorted(repository.tags)
        if not self.rules.tag_paging:
            return _json({"name": name, "tags": tags[::-1]})
        return self._page(call, tags, f"/v2/{name}/tags/list", {"name": name}, "tags")

    def names(self, call: Call) -> Answer:
        """Answer the catalog: the list of repositories, in pages."""
        return self._page(call, self.content.names(), call.path, {}, "repositories")

    def _page(
        self, call: Call, names: list[str], path: str, fields: dict[str, Any], key: str
    ) -> Answer:
        wanted = call.argument("n")
        if wanted is not None and not wanted.isdigit():
            return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        size = len(names) if wanted is None else int(wanted)
        size = min(size, self.rules.page_limit or size)
        names = [each for each in names if each > (call.argument("last") or "")]
        answer = _json({**fields, key: names[:size]})
        if 0 < size < len(names):
            query = urlencode({"last": names[size - 1], "n": size})
            answer.headers["Link"] = f'<{path}?{query}>; rel="next"'
        return answer

    def referrers(self, call: Call, name: str, subject: str) -> Answer:
        """Answer the referrers of a subject, of which nothing need be there."""
        if not self.rules.referrers_api:
            return error(404, "NOT_FOUND", "404 page not found")
        if ":" not in subject:
            return error(400, "DIGEST_INVALID", "digest parsing failed")
        with self.content.lock:
            entries = _entries(self.content.find(name), subject)
        wanted = call.argument("artifactType") or None
        filters = wanted is not None and self.rules.filters_referrers
        if filters:
            entries = [each for each in entries if each["artifactType"] == wanted]
        start = int(call.argument("start") or 0)
        page = entries[start : start + (self.rules.page_limit or len(entries) or 1)]
        answer = _json({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": page})
        answer.headers["Content-Type"] = IMAGE_INDEX
        if filters:
            answer.headers["OCI-Filters-Applied"] = "artifactType"
        if start + len(page) < len(entries):
            query = urlencode(
                {"start": start + len(page), **({"artifactType": wanted} if wanted else {})}
            )
            answer.headers["Link"] = f'</v2/{name}/referrers/{subject}?{query}>; rel="next"'
        return answer

    def _is_accepted(self, call: Call, manifest: StoredManifest) -> bool:
        if not self.rules.accept_required:
            return True
        accepted = call.headers.get("accept", "").split(",")
        return manifest.media_type in [each.partition(";")[0].strip() for each in accepted]

    def _check(
        self, call: Call, repository: Repository, raw: bytes, reference: str
    ) -> Answer | None:
        if len(raw) > self.rules.manifest_limit:
            return error(400, "MANIFEST_INVALID", "http: request body too large")
        if ":" in reference and digest_of(raw, reference.partition(":")[0]) != reference:
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        stated = call.headers.get("content-type", "")
        fields = StoredManifest(raw, stated).fields
        if fields.get("schemaVersion") != 2:
            return error(400, "MANIFEST_INVALID", "manifest invalid: schemaVersion is not 2")
        if fields.get("mediaType", stated) != stated:
            return error(400, "MANIFEST_INVALID", "mediaType in manifest is not the Content-Type")
        for digest in _referenced(fields):
            if digest not in repository.blobs and digest not in repository.manifests:
                return error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {digest}")
        return self._check_tag(repository, reference)

    def _check_tag(self, repository: Repository, tag: str) -> Answer | None:
        if tag not in repository.tags or self.rules.immutable_tags is None:
            return None
        if self.rules.immutable_tags == "harbor":
            return error(
                412,
                "PRECONDITION",
                f"Failed to process request due to '{tag}' configured as immutable.",
            )
        return error(
            400,
            "TAG_INVALID",
            f"The image tag '{tag}' already exists in the repository and cannot be overwritten"
            " because the repository is immutable.",
        )


def _referenced(fields: dict[str, Any]) -> list[str]:
    layers: Sequence[dict[str, Any]] = fields.get("layers") or []
    inner: Sequence[dict[str, Any]] = fields.get("manifests") or []
    config = [fields["config"]] if fields.get("config") else []
    return [each["digest"] for each in [*config, *layers, *inner]]


def _entries(repository: Repository | None, subject: str) -> list[dict[str, Any]]:
    """Return the descriptors of listed manifests about `subject`, sorted by digest."""
    found = []
    for digest in sorted(repository.listed if repository else ()):
        assert repository is not None
        manifest = repository.manifests[digest]
        fields = manifest.fields
        if (fields.get("subject") or {}).get("digest") != subject:
            continue
        entry = {"mediaType": manifest.media_type, "digest": digest, "size": len(manifest.raw)}
        kind = fields.get("artifactType") or (fields.get("config") or {}).get("mediaType", "")
        entry["artifactType"] = kind
        if fields.get("annotations"):
            entry["annotations"] = fields["annotations"]
        found.append(entry)
    return found


def _json(value: object) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())
