"""How the in-process registry behaves when nothing goes wrong: which real one it resembles."""

from __future__ import annotations

from typing import Literal

from kitline.frozen import dataclass

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Properties of a registry; the defaults are those of distribution 3 with a referrers API."""

    referrers_api: bool = True
    """Lists referrers and answers `OCI-Subject`."""
    deletes: bool = True
    """Takes DELETE of manifests, tags and blobs."""
    tag_deletes: bool = True
    """Takes DELETE of a tag alone (docker-registry 2.8: 400)."""
    tag_paging: bool = True
    """Honours `n` and `last` (docker-registry 2.8 ignores them)."""
    page_limit: int | None = None
    """Most entries in one page of tags or referrers, also when nobody asked for pages."""
    filters_referrers: bool = True
    """Applies `artifactType` and says so."""
    catalog: bool = True
    """Lists its repositories (olareg: 404)."""
    multi_tag: bool = False
    """Takes `PUT manifests/<digest>?tag=a&tag=b` (olareg)."""
    single_post: bool = False
    """Takes a whole blob with one POST (olareg)."""
    keeps_cut_sessions: bool = True
    """A session survives a broken connection (docker-registry 2.8: no)."""
    unknown_session: int = 404
    """Status for a session that is not there (olareg: 400)."""
    relative_locations: bool = False
    """`Location` without scheme and host (olareg)."""
    strict_locations: bool = False
    """Only the newest `Location` is good (docker-registry 2.8, for GET)."""
    accept_required: bool = True
    """Manifests are 404 unless `Accept` names their media type (olareg)."""
    immutable_tags: Literal["ecr", "harbor"] | None = None
    """Tags cannot be pushed twice, not even with the same content."""
    must_exist: bool = False
    """Repositories are made beforehand (ECR); see `LocalRegistry.create_repository`."""
    quota: int | None = None
    """Most bytes of blobs in one repository; then 403 DENIED as Harbor."""
    manifest_limit: int = 4 * MIB
    """Largest manifest in bytes."""
    one_patch: bool = False
    """The session ends with the first PATCH, which answers 201 (ECR)."""
    patch_limit: int | None = None
    """Largest PATCH in bytes, else 416 (ghcr.io: 4 MiB)."""
    chunk_minimum: int | None = None
    """Sent as `OCI-Chunk-Min-Length`; smaller chunks but the last are refused."""


DISTRIBUTION = Rules(referrers_api=False)
DOCKER_REGISTRY = Rules(
    referrers_api=False,
    tag_deletes=False,
    tag_paging=False,
    keeps_cut_sessions=False,
    strict_locations=True,
)
OLAREG = Rules(
    catalog=False, multi_tag=True, single_post=True, relative_locations=True, unknown_session=400
)
ECR = Rules(one_patch=True, must_exist=True)
GHCR = Rules(referrers_api=False, patch_limit=4 * MIB)
HARBOR = Rules(page_limit=100)
