"""Signatures and attestations travel with their kit, between all kinds of stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kitline.testing import LocalRegistry
from kitline.testing.content import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.testing.command_line import CommandLine
    from kitline.testing.content import Content

EMPTY = b"{}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def put_note(
    content: Content,
    repository: str,
    subject: str | None,
    text: str,
    *,
    kind: str = "application/vnd.example.note",
    tag: str | None = None,
) -> str:
    """Put a manifest about `subject` into a registry as oras would; return its digest."""
    data = text.encode()
    content.put_blob(repository, EMPTY)
    content.put_blob(repository, data)
    found = content.create(repository).manifests
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest_of(EMPTY),
            "size": len(EMPTY),
        },
        "layers": [
            {"mediaType": "text/plain", "digest": digest_of(data), "size": len(data)},
        ],
    }
    if subject is not None:
        manifest["subject"] = {
            "mediaType": MANIFEST,
            "digest": subject,
            "size": len(found[subject].raw),
        }
    return content.put_manifest(repository, json.dumps(manifest).encode(), tag=tag)


def put_fallback_index(content: Content, repository: str, subject: str, *digests: str) -> None:
    """List referrers the way that clients do for a registry without the referrers API."""
    manifests = content.create(repository).manifests
    entries = [
        {
            "mediaType": MANIFEST,
            "digest": each,
            "size": len(manifests[each].raw),
            "artifactType": manifests[each].fields["artifactType"],
        }
        for each in digests
    ]
    media_type = "application/vnd.oci.image.index.v1+json"
    index = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    content.put_manifest(
        repository,
        json.dumps(index).encode(),
        media_type=media_type,
        tag=subject.replace(":", "-"),
    )


class SignedKit:
    """A kit in a registry with a note about it, a note about the note, and a cosign tag."""

    def __init__(self, run: CommandLine, folder: Path, registry: LocalRegistry) -> None:
        self.name = f"{registry.host}/team/iris:v1"
        self.digest = run("pack", folder, "-t", self.name).digest
        content = registry.content
        self.note = put_note(content, "team/iris", self.digest, "good")
        self.answer = put_note(content, "team/iris", self.note, "so it is")
        self.cosign_tag = f"sha256-{self.digest[7:]}.sig"
        self.signature = put_note(content, "team/iris", None, "signed", tag=self.cosign_tag)
        if not registry.rules.referrers_api:
            put_fallback_index(content, "team/iris", self.digest, self.note)
            put_fallback_index(content, "team/iris", self.note, self.answer)

    @property
    def everything(self) -> set[str]:
        return {self.digest, self.note, self.answer, self.signature}


@pytest.fixture(params=[True, False], ids=["with-api", "without-api"])
def source(request: pytest.FixtureRequest) -> Iterator[LocalRegistry]:
    with LocalRegistry(referrers_api=request.param) as registry:
        yield registry


@pytest.fixture(params=[True, False], ids=["to-api", "to-none"])
def target(request: pytest.FixtureRequest) -> Iterator[LocalRegistry]:
    with LocalRegistry(referrers_api=request.param) as registry:
        yield registry


def attached(run: CommandLine, name: str) -> set[str]:
    return {each["digest"] for each in run("inspect", name, "--json").json["referrers"]}


def test_copy_carries_what_is_about_a_kit(
    run: CommandLine, folder: Path, source: LocalRegistry, target: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, source)

    result = run("copy", kit.name, f"{target.host}/other/iris:v1")

    there = target.content.create("other/iris")
    assert result.pinned.startswith(f"{target.host}/other/iris@")
    assert kit.everything <= set(there.manifests)
    assert there.tags[kit.cosign_tag] == kit.signature
    assert attached(run, f"{target.host}/other/iris:v1") == {kit.note}


@pytest.mark.parametrize("verb", ["copy", "pull"])
def test_referrers_stay_behind_when_told(
    run: CommandLine, folder: Path, source: LocalRegistry, verb: str
) -> None:
    kit = SignedKit(run, folder, source)
    words = {"copy": ("oci:disk:v1",), "pull": ("mine:v1",)}[verb]

    result = run(verb, kit.name, *words, "--no-referrers")

    assert result.digest == kit.digest
    assert attached(run, words[0]) == set()


@pytest.mark.parametrize("stop", ["mine:v1", "oci:disk:v1", "oci-archive:iris.tar:v1"])
def test_referrers_survive_a_stop_on_disk(
    run: CommandLine, folder: Path, source: LocalRegistry, target: LocalRegistry, stop: str
) -> None:
    kit = SignedKit(run, folder, source)

    first = run("copy", kit.name, stop)
    second = run("copy", stop, f"{target.host}/other/iris:v1")

    assert first.digest == second.digest == kit.digest
    assert attached(run, stop) == {kit.note}
    assert kit.everything <= set(target.content.create("other/iris").manifests)
    assert target.content.create("other/iris").tags[kit.cosign_tag] == kit.signature
    assert attached(run, f"{target.host}/other/iris:v1") == {kit.note}


def test_pull_and_push_carry_referrers_too(
    run: CommandLine, folder: Path, source: LocalRegistry, target: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, source)

    pulled = run("pull", kit.name, "mine:v1")
    pushed = run("push", "mine:v1", f"{target.host}/other/iris")

    assert "referrers" in pulled.stderr
    assert pushed.digest == kit.digest
    assert kit.everything <= set(target.content.create("other/iris").manifests)


def test_push_leaves_referrers_behind_when_told(
    run: CommandLine, folder: Path, source: LocalRegistry, local_registry: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, source)
    run("pull", kit.name, "mine:v1")

    run("push", "mine:v1", f"{local_registry.host}/other/iris", "--no-referrers")

    assert set(local_registry.content.create("other/iris").manifests) == {kit.digest}


def test_copying_again_writes_nothing(
    run: CommandLine, folder: Path, source: LocalRegistry, target: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, source)
    run("copy", kit.name, f"{target.host}/other/iris:v1")
    before = dict(target.content.create("other/iris").tags)
    target.forget()

    run("copy", kit.name, f"{target.host}/other/iris:v1")

    assert target.content.create("other/iris").tags == before
    assert target.count("PUT", r"/blobs/") == 0
    assert target.count("POST") == 0


def test_a_broken_referrer_is_left_out_with_a_warning(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, local_registry)
    del local_registry.content.create("team/iris").blobs[digest_of(b"good")]

    result = run("copy", kit.name, "oci:disk:v1")

    assert result.digest == kit.digest
    assert f"referrer {kit.note} of {kit.digest} was left out" in result.stderr
    assert attached(run, "oci:disk:v1") == set()


def test_derived_edges_stay_unless_history_is_asked_for(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    kit = SignedKit(run, folder, local_registry)
    kind = "application/vnd.kitline.derived.v1+json"
    edge = put_note(local_registry.content, "team/iris", kit.digest, "derived", kind=kind)

    run("copy", kit.name, "oci:disk:v1")
    run("copy", kit.name, "oci:whole:v1", "--with-history")

    assert attached(run, "oci:disk:v1") == {kit.note}
    assert attached(run, "oci:whole:v1") == {kit.note, edge}
