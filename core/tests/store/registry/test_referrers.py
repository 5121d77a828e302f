"""Referrers: found through API, fallback index and own tags; lies are dropped."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from kitline.oci import media_types
from kitline.oci.manifest import EMPTY_CONFIG, ImageIndex, ImageManifest, Manifest
from kitline.oci.reference import Reference
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.registry.referrers import fallback_tag, referrer_tag
from kitline.store.source import BytesSource
from kitline.testing import BearerAuth, Fault, LocalRegistry, Rules
from kitline.testing.faults import TRAVERSAL
from kitline.testing.rules import DISTRIBUTION, DOCKER_REGISTRY, OLAREG

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.store.registry import RegistryStore
    from kitline.testing.processes import RunningRegistry

QUICK = RetryPolicy(least=0.0, most=0.01)
OTHER = "application/vnd.kitline.derived.v1+json"


def connect(host: str, repository: str = "team/model") -> RegistryStore:
    return open_registry(Reference.parse(f"{host}/{repository}"), RegistryOptions(retry=QUICK))


def subject_in(store: RegistryStore) -> Manifest:
    store.push_blob(BytesSource(b"{}"))
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[EMPTY_CONFIG], artifact_type="a/b")
    store.push_manifest(manifest)
    return manifest


def about(
    subject: Manifest, number: int = 0, artifact_type: str = media_types.COSIGN_BUNDLE
) -> Manifest:
    return ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[EMPTY_CONFIG],
        artifact_type=artifact_type,
        subject=subject.descriptor,
        annotations={"number": str(number)},
    )


def listed(store: RegistryStore, subject: Manifest) -> list[Digest]:
    return [each.digest for each in store.list_referrers(subject.digest)]


@pytest.mark.parametrize("rules", [Rules(), OLAREG, DISTRIBUTION, DOCKER_REGISTRY])
def test_a_referrer_is_listed_with_its_type_and_annotations(rules: Rules) -> None:
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        signature, edge = about(subject, 1), about(subject, 2, OTHER)
        store.push_manifest(signature)
        store.push_manifest(edge)
        store.push_manifest(signature)
        assert listed(store, subject) == sorted([signature.digest, edge.digest])
        (found,) = store.list_referrers(subject.digest, artifact_type=OTHER)
        assert found.digest == edge.digest
        assert found.annotations == {"number": "2"}
        assert found.artifact_type == OTHER
        assert store.list_referrers(edge.digest) == ()


def test_pushing_a_referrer_again_writes_no_tag(local_registry: LocalRegistry) -> None:
    with connect(local_registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject))
        local_registry.forget()
        store.push_manifest(about(subject))
        assert [each.path for each in local_registry.select("PUT")] == [
            f"/v2/team/model/manifests/{about(subject).digest}"
        ]


def test_each_referrer_has_a_tag_of_its_own() -> None:
    subject = ImageManifest.build(config=EMPTY_CONFIG, layers=[], artifact_type="a/b")
    signature = about(subject)
    tag = referrer_tag(subject.digest, signature)
    assert tag == f"{subject.digest.hex[:32]}.signature-{signature.digest.hex[:16]}"
    kinds = {
        "application/spdx+json": "sbom",
        OTHER: "derived",
        "application/vnd.in-toto+json": "attestation",
        "text/x": "other",
    }
    for artifact_type, kind in kinds.items():
        assert f".{kind}-" in referrer_tag(subject.digest, about(subject, 0, artifact_type))


def test_the_fallback_index_keeps_foreign_entries() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        foreign = about(subject, 7)
        index = ImageIndex.build(manifests=[foreign.descriptor], annotations={"theirs": "yes"})
        store.push_manifest(foreign)
        repository = registry.content.create("team/model")
        store.push_manifest(index)
        repository.tags[fallback_tag(subject.digest)] = str(index.digest)
        store.push_manifest(about(subject, 8))
        raw = repository.manifests[repository.tags[fallback_tag(subject.digest)]].raw
        fields = json.loads(raw)
        assert [each["digest"] for each in fields["manifests"]] == [
            str(foreign.digest),
            str(about(subject, 8).digest),
        ]
        assert fields["annotations"] == {"theirs": "yes"}
        assert fields["manifests"][1]["annotations"] == {"number": "8"}


def test_only_trust_goes_into_the_fallback_index() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject, 1, OTHER))
        assert store.find_tag(fallback_tag(subject.digest)) is None


def test_a_referrer_that_the_api_lost_is_put_again() -> None:
    with LocalRegistry(OLAREG) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        registry.inject(Fault.lose_referrer(times=2))
        store.push_manifest(about(subject))
        repository = registry.content.create("team/model")
        assert str(about(subject).digest) in repository.listed


def test_parallel_writers_lose_nothing() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.push_manifest(about(subject, n, OTHER)), range(24)))
        assert len(listed(store, subject)) == 24


def test_parallel_signers_all_end_up_in_the_fallback_index() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.push_manifest(about(subject, n)), range(16)))
        found = store.find_tag(fallback_tag(subject.digest))
        assert found is not None
        index = store.get_manifest(found.digest)
        assert len(index.references) == 16


def test_entries_that_do_not_hold_are_dropped() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        stranger = ImageManifest.build(config=EMPTY_CONFIG, layers=[], artifact_type="c/d")
        store.push_manifest(stranger)
        entries: list[object] = [
            None, 3, "x", [], {}, {"digest": 5}, {"digest": "sha256:../../x"},
            {"digest": str(stranger.digest), "mediaType": "x", "size": -1},
            {"digest": "sha256:" + "0" * 64, "artifactType": media_types.COSIGN_BUNDLE},
            {"digest": str(subject.digest)},
        ]  # fmt: skip
        raw = {"schemaVersion": 2, "mediaType": media_types.IMAGE_INDEX, "manifests": entries}
        headers = {"Content-Type": media_types.IMAGE_INDEX}
        body = json.dumps(raw).encode()
        registry.inject(Fault.answer(200, headers=headers, body=body, path="/referrers/"))
        store.set_tag(f"{subject.digest.hex[:32]}.signature-{'0' * 16}", stranger)
        for tag, answer in (("1" * 16, b" " * (5 << 20)), ("2" * 16, b"{")):
            name = f"{subject.digest.hex[:32]}.signature-{tag}"
            store.set_tag(name, stranger)
            registry.inject(Fault.answer(200, body=answer, path=name, times=None))
        assert store.list_referrers(subject.digest) == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"manifests": 3}', b"<html>"])
def test_nonsense_from_the_api_is_no_list(local_registry: LocalRegistry, body: bytes) -> None:
    with connect(local_registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject))
        headers = {"Content-Type": media_types.IMAGE_INDEX}
        local_registry.inject(Fault.answer(200, headers=headers, body=body, path="/referrers/"))
        local_registry.inject(Fault.answer(200, headers=headers, body=body, path="/sha256-"))
        assert listed(store, subject) == [about(subject).digest]


def test_immutable_tags_do_not_stop_a_second_signature(caplog: pytest.LogCaptureFixture) -> None:
    rules = Rules(referrers_api=False, immutable_tags="harbor")
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        for number in range(2):
            store.push_manifest(about(subject, number))
        assert len(listed(store, subject)) == 2
    assert "not in the list that other tools read" in caplog.text


def lose_from_fallback(registry: LocalRegistry, subject: Manifest, kept: Manifest) -> None:
    """Let another writer replace the fallback index by one that names `kept` only."""
    index = ImageIndex.build(manifests=[kept.descriptor], annotations={"theirs": "yes"})
    registry.content.put_manifest(
        "team/model",
        index.raw,
        media_type=media_types.IMAGE_INDEX,
        tag=fallback_tag(subject.digest),
    )
    registry.forget()


def fallback_of(registry: LocalRegistry, subject: Manifest) -> dict[str, Any]:
    repository = registry.content.create("team/model")
    return repository.manifests[repository.tags[fallback_tag(subject.digest)]].fields


def test_a_reader_puts_back_what_the_fallback_index_lost() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        kept, lost, edge = about(subject, 1), about(subject, 2), about(subject, 3, OTHER)
        for each in (kept, lost, edge):
            store.push_manifest(each)
        lose_from_fallback(registry, subject, kept)

        first = listed(store, subject)
        second = listed(store, subject)

        assert first == second == sorted(each.digest for each in (kept, lost, edge))
        found = fallback_of(registry, subject)
        digests = [each["digest"] for each in found["manifests"]]
        assert digests == [str(kept.digest), str(lost.digest)]
        assert found["annotations"] == {"theirs": "yes"}
        assert registry.count("PUT") == 1


def test_a_reader_writes_nothing_where_the_registry_lists_referrers_itself() -> None:
    with LocalRegistry(OLAREG) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject))
        registry.forget()

        assert listed(store, subject) == [about(subject).digest]
        assert registry.count("PUT") == 0


@pytest.mark.parametrize("status", [401, 403, 405, 409, 503])
def test_a_reader_that_may_not_write_tries_once_and_says_nothing(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        kept, lost = about(subject, 1), about(subject, 2)
        store.push_manifest(kept)
        store.push_manifest(lost)
        lose_from_fallback(registry, subject, kept)
        registry.inject(Fault.answer(status, methods=["PUT"], times=None))

        for _ in range(3):
            assert listed(store, subject) == sorted([kept.digest, lost.digest])

        assert registry.count("PUT") == 1
        assert len(fallback_of(registry, subject)["manifests"]) == 1
    assert caplog.text == ""


def test_a_reader_without_credentials_goes_on_reading_after_its_one_attempt() -> None:
    auth = BearerAuth(anonymous_pull=True)
    with LocalRegistry(DISTRIBUTION) as open_to_all, connect(open_to_all.host) as writer:
        subject = subject_in(writer)
        kept, lost = about(subject, 1), about(subject, 2)
        writer.push_manifest(kept)
        writer.push_manifest(lost)
        lose_from_fallback(open_to_all, subject, kept)
        with (
            LocalRegistry(DISTRIBUTION, auth=auth, content=open_to_all.content) as registry,
            connect(registry.host) as store,
        ):
            for _ in range(3):
                assert listed(store, subject) == sorted([kept.digest, lost.digest])
            assert registry.count("PUT") <= 2  # the attempt, and once more with a token


def test_a_tag_that_is_no_index_is_left_alone() -> None:
    with LocalRegistry(DISTRIBUTION) as registry, connect(registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject))
        store.set_tag(fallback_tag(subject.digest), subject)
        registry.forget()

        assert listed(store, subject) == [about(subject).digest]
        assert registry.count("PUT") == 0


def test_entries_with_digests_that_are_paths_are_left_out_with_a_warning(
    local_registry: LocalRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(local_registry.host) as store:
        subject = subject_in(store)
        store.push_manifest(about(subject))
        local_registry.inject(Fault.traversal_referrers())

        assert listed(store, subject) == [about(subject).digest]
    assert [each.name.rpartition(".")[0] for each in caplog.records] == ["kitline.store.registry"]
    assert caplog.messages == [
        f"left out of the referrers of {subject.digest}: 1 without a digest, such as {TRAVERSAL!r}"
    ]


@pytest.mark.registry
@pytest.mark.parametrize("name", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_real_registries_list_what_was_attached(name: str, request: pytest.FixtureRequest) -> None:
    running: RunningRegistry = request.getfixturevalue(name)
    with connect(running.host, "referrers/one") as store:
        subject = subject_in(store)
        manifests = [
            about(subject, n, t) for n in range(3) for t in (media_types.COSIGN_BUNDLE, OTHER)
        ]
        for manifest in manifests:
            store.push_manifest(manifest)
        assert listed(store, subject) == sorted(each.digest for each in manifests)
        assert len(store.list_referrers(subject.digest, artifact_type=OTHER)) == 3


@pytest.mark.registry
@pytest.mark.peer
@pytest.mark.parametrize("name", ["distribution_3", "olareg_registry"])
def test_oras_discovers_our_referrers(name: str, request: pytest.FixtureRequest) -> None:
    import subprocess

    from kitline.testing.processes import PeerMissing, peer

    try:
        oras = peer("oras")
    except PeerMissing as missing:
        pytest.skip(str(missing))
    running: RunningRegistry = request.getfixturevalue(name)
    with connect(running.host, "referrers/oras") as store:
        subject = subject_in(store)
        signatures = [about(subject, n) for n in range(2)]
        for each in signatures:
            store.push_manifest(each)
        reference = str(store.pin(subject.digest))
    done = subprocess.run(
        [oras, "discover", "--plain-http", "--format", "json", reference],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {each["digest"] for each in json.loads(done.stdout)["referrers"]}
    assert found == {str(each.digest) for each in signatures}
