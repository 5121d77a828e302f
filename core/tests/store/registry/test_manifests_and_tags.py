"""Manifests and tags in a registry: exact bytes, no surprise moves, all pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kitline.errors import (
    DigestMismatch,
    MalformedContent,
    ManifestNotFound,
    ReferenceMoved,
    RegistryError,
    TagConflict,
    TagNotFound,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import Reference
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.source import BytesSource
from kitline.testing import BasicAuth, Fault, LocalRegistry, Rules
from kitline.testing.rules import DOCKER_REGISTRY, HARBOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.oci.manifest import Manifest
    from kitline.store.registry import RegistryStore
    from kitline.testing.processes import RunningRegistry

QUICK = RetryPolicy(least=0.0, most=0.01)


def connect(host: str, repository: str = "team/model", **options: object) -> RegistryStore:
    settings = RegistryOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]  # any
    return open_registry(Reference.parse(f"{host}/{repository}"), settings)


@pytest.fixture
def store(local_registry: LocalRegistry) -> Iterator[RegistryStore]:
    with connect(local_registry.host) as opened:
        opened.push_blob(BytesSource(b"{}"))
        yield opened


def kit(number: int = 0) -> Manifest:
    return ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[EMPTY_CONFIG],
        artifact_type="application/vnd.example",
        annotations={"number": str(number)},
    )


def requests_of(local_registry: LocalRegistry) -> list[str]:
    return [each.method for each in local_registry.requests]


def test_only_a_manifest_over_what_was_there_before_is_looked_up(
    local_registry: LocalRegistry,
) -> None:
    with connect(local_registry.host) as first:
        first.push_blob(BytesSource(b"{}"))
        local_registry.forget()
        for _ in range(2):
            pushed(first, 1)
        assert requests_of(local_registry) == ["PUT", "HEAD"]
    with connect(local_registry.host) as second:
        second.push_blob(BytesSource(b"{}"))
        local_registry.forget()
        for number in (1, 2):
            pushed(second, number)
        assert requests_of(local_registry) == ["HEAD", "HEAD", "PUT"]


def pushed(store: RegistryStore, number: int = 0) -> Manifest:
    manifest = kit(number)
    store.push_manifest(manifest)
    return manifest


def test_a_manifest_comes_back_as_the_bytes_that_were_pushed(store: RegistryStore) -> None:
    manifest = pushed(store)
    assert store.get_manifest(manifest.digest).raw == manifest.raw
    assert store.find_manifest(Digest.of(b"absent")) is None
    with pytest.raises(ManifestNotFound, match="has none with digest"):
        store.get_manifest(Digest.of(b"absent"))


def test_a_manifest_of_another_digest_is_refused(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    manifest = pushed(store)
    local_registry.inject(Fault.wrong_bytes(path="/manifests/", after=20))
    with pytest.raises(DigestMismatch, match=f"expected digest {manifest.digest}"):
        store.get_manifest(manifest.digest)
    local_registry.inject(Fault.wrong_digest_header())
    with pytest.raises(DigestMismatch, match="states another digest"):
        store.get_manifest(manifest.digest)


def test_a_push_is_refused_when_the_registry_understood_other_bytes(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.wrong_digest_header())
    with pytest.raises(DigestMismatch):
        store.push_manifest(kit())


def test_a_manifest_over_the_limit_is_not_read_on(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.answer(200, body=b" " * (5 << 20), path="/manifests/"))
    with pytest.raises(MalformedContent, match="longer than 4194304 bytes"):
        store.get_manifest(kit().digest)


def test_a_tag_is_set_once_and_then_left_alone(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    first, second = pushed(store, 1), pushed(store, 2)
    assert store.find_tag("v1") is None
    assert store.set_tag("v1", first) is None
    assert store.find_tag("v1") == first.descriptor
    local_registry.forget()
    assert store.set_tag("v1", first) == first.digest
    assert local_registry.count("PUT") == 0
    assert store.set_tag("v1", second) == first.digest
    with pytest.raises(TagConflict, match=f"points at {second.digest} and may not move"):
        store.set_tag("v1", first, may_move=False)


def test_a_tag_that_somebody_moves_at_the_same_time_is_told(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    first, second = pushed(store, 1), pushed(store, 2)
    local_registry.inject(Fault.move_tag("v1", second.digest, skip=1))
    with pytest.raises(ReferenceMoved, match="somebody else moved it"):
        store.set_tag("v1", first)


@pytest.mark.parametrize("kind", ["ecr", "harbor"])
def test_an_immutable_tag_is_a_conflict_unless_it_is_right_already(kind: str) -> None:
    rules = Rules(immutable_tags=kind)  # type: ignore[arg-type]  # the two literals
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        store.push_blob(BytesSource(b"{}"))
        first, second = pushed(store, 1), pushed(store, 2)
        store.set_tag("v1", first)
        assert store.set_tag("v1", first) == first.digest
        with pytest.raises(TagConflict, match=r"'v1' of '.*team/model'.*tag immutability"):
            store.set_tag("v1", second)


def test_a_tag_named_after_what_was_missing_until_now_is_set_without_a_look(
    local_registry: LocalRegistry,
) -> None:
    with connect(local_registry.host) as first:
        first.push_blob(BytesSource(b"{}"))
        manifest = pushed(first, 1)
        keep = f"kit-{manifest.digest.hex[:32]}"
        local_registry.forget()
        assert first.set_tag(keep, manifest, may_move=False) is None
        assert requests_of(local_registry) == ["PUT"]
        for tag in ("v1", f"v1-{manifest.digest.hex}"):
            local_registry.forget()
            first.set_tag(tag, manifest)
            assert requests_of(local_registry) == ["HEAD", "PUT", "HEAD"]
    with connect(local_registry.host) as second:
        pushed(second, 1)
        local_registry.forget()
        assert second.set_tag(keep, manifest, may_move=False) == manifest.digest
        assert requests_of(local_registry) == ["HEAD"]


@pytest.mark.parametrize("kind", ["ecr", "harbor"])
def test_an_immutable_tag_that_somebody_else_set_to_the_same_is_right(kind: str) -> None:
    rules = Rules(immutable_tags=kind)  # type: ignore[arg-type]  # the two literals
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        store.push_blob(BytesSource(b"{}"))
        manifest = pushed(store, 1)
        keep = f"kit-{manifest.digest.hex[:32]}"
        tags = registry.content.create("team/model").tags
        tags[keep] = str(manifest.digest)
        assert store.set_tag(keep, manifest, may_move=False) == manifest.digest
        registry.inject(Fault.answer(405, path=f"/manifests/{keep}", methods=["PUT"]))
        assert store.set_tag(keep, manifest, may_move=False) == manifest.digest
        tags[keep] = str(pushed(store, 2).digest)
        with pytest.raises(TagConflict, match="tag immutability"):
            store.set_tag(keep, manifest, may_move=False)


@pytest.mark.parametrize(
    "rules", [Rules(), HARBOR, DOCKER_REGISTRY, Rules(page_limit=7, relative_locations=True)]
)
def test_all_tags_are_listed_page_by_page(rules: Rules) -> None:
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        repository = registry.content.create("team/model")
        names = [f"{letter}-{n:03}" for letter in ("V1", "a", "b", "v1") for n in range(60)]
        repository.tags.update(dict.fromkeys(names, "sha256:" + "0" * 64))
        assert store.list_tags() == tuple(sorted(names))
        assert store.list_tags(prefix="b-") == tuple(f"b-{n:03}" for n in range(60))
        assert store.list_tags(prefix="v1-05") == tuple(f"v1-05{n}" for n in range(10))
        assert store.list_tags(prefix="V1-000") == ("V1-000",)
        assert store.list_tags(prefix="zz") == ()


def test_a_prefix_reads_only_its_own_pages(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    tags = {f"t{n:05}": "sha256:" + "0" * 64 for n in range(5000)}
    local_registry.content.create("team/model").tags.update(tags)
    local_registry.forget()
    assert len(store.list_tags(prefix="t0400")) == 10
    assert local_registry.count("GET") == 1


def test_a_repository_that_is_not_there_has_no_tags(local_registry: LocalRegistry) -> None:
    with connect(local_registry.host, "no/where") as store:
        assert store.list_tags() == ()


def test_pages_that_never_end_are_left(local_registry: LocalRegistry, store: RegistryStore) -> None:
    headers = {"Link": "</v2/team/model/tags/list?n=1000>; rel=next"}
    body = json.dumps({"tags": ["a"]}).encode()
    local_registry.inject(
        Fault.answer(200, headers=headers, body=body, path="/tags/list", times=None)
    )
    with pytest.raises(RegistryError, match="never end"):
        store.list_tags()


def test_pages_on_another_server_are_not_followed(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    headers = {"Link": '<http://127.0.0.1:1/v2/x/tags/list>; rel="next"'}
    local_registry.inject(Fault.answer(200, headers=headers, body=b'{"tags":[]}', path="/tags/"))
    with pytest.raises(RegistryError, match="another server"):
        store.list_tags()


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"tags": 3}', b'{"tags": {"a": 1}}'])
def test_a_list_of_tags_that_is_none_is_told(
    local_registry: LocalRegistry, store: RegistryStore, body: bytes
) -> None:
    local_registry.inject(Fault.answer(200, body=body, path="/tags/"))
    with pytest.raises(RegistryError, match="no list of tags"):
        store.list_tags()


def test_a_tag_is_removed_and_its_manifest_stays(store: RegistryStore) -> None:
    manifest = pushed(store)
    store.set_tag("v1", manifest)
    store.remove_tag("v1")
    assert store.find_tag("v1") is None
    assert store.find_manifest(manifest.digest) is not None
    with pytest.raises(TagNotFound):
        store.remove_tag("v1")
    store.set_tag("v2", manifest)
    store.remove_manifest(manifest.digest)
    assert store.find_tag("v2") is None
    with pytest.raises(ManifestNotFound):
        store.remove_manifest(manifest.digest)


def test_a_registry_that_removes_nothing_says_why() -> None:
    rules = Rules(deletes=False, tag_deletes=False)
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        store.push_blob(BytesSource(b"{}"))
        manifest = pushed(store)
        store.set_tag("v1", manifest)
        with pytest.raises(RegistryError, match="deletion switched off"):
            store.remove_manifest(manifest.digest)
        with pytest.raises(RegistryError, match="would remove all its tags"):
            store.remove_tag("v1")


def test_a_blob_is_mounted_from_a_neighbour(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    blob = Descriptor(media_type="a/b", digest=Digest.of(b"{}"), size=2)
    absent = Descriptor(media_type="a/b", digest=Digest.of(b"absent"), size=6)
    with connect(local_registry.host, "team/other") as other:
        assert other.mount_blob(blob, store)
        assert other.has_blob(blob.digest)
        assert not other.mount_blob(absent, store)
    with LocalRegistry() as foreign, connect(foreign.host) as far:
        assert not far.mount_blob(blob, store)
    repository = local_registry.content.find("team/other")
    assert repository is not None
    assert repository.uploads == {}


def test_a_probe_tells_what_works_and_leaves_nothing(local_registry: LocalRegistry) -> None:
    with connect(local_registry.host) as store:
        found = store.probe()
    assert (found.reachable, found.auth, found.can_pull, found.can_push) == (
        True, "none", True, True,
    )  # fmt: skip
    assert found.has_referrers_api
    assert not found.is_encrypted
    repository = local_registry.content.find("team/model")
    assert repository is None or repository.uploads == {}


def test_a_probe_tells_which_credentials_are_missing() -> None:
    with LocalRegistry(auth=BasicAuth()) as registry, connect(registry.host) as store:
        found = store.probe()
    assert (found.auth, found.can_pull, found.can_push) == ("basic", False, False)
    assert "kitline login" in found.push_problem


def test_nobody_listening_is_told_plainly() -> None:
    with connect("127.0.0.1:1") as store, pytest.raises(Exception, match="is it running"):
        store.list_tags()


@pytest.mark.registry
@pytest.mark.parametrize("name", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_real_registries_keep_manifests_and_tags(name: str, request: pytest.FixtureRequest) -> None:
    running: RunningRegistry = request.getfixturevalue(name)
    blob = Descriptor(media_type="a/b", digest=Digest.of(b"{}"), size=2)
    with connect(running.host, "tags/one") as store, connect(running.host, "tags/two") as other:
        store.push_blob(BytesSource(b"{}"))
        first, second = pushed(store, 1), pushed(store, 2)
        assert store.set_tag("v1", first) is None
        assert store.set_tag("v1", second) == first.digest
        assert store.get_manifest(first.digest) == first
        for n in range(5):
            store.set_tag(f"x{n}", first)
        assert store.list_tags() == ("v1", "x0", "x1", "x2", "x3", "x4")
        assert store.list_tags(prefix="x") == ("x0", "x1", "x2", "x3", "x4")
        assert store.list_tags(prefix="y") == ()
        assert other.mount_blob(blob, store)
        assert store.probe().can_push
        store.remove_manifest(second.digest)
        assert store.find_tag("v1") is None
