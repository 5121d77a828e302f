"""Killed at any moment, a layout lists nothing that does not verify, and works again at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from kitline.oci.descriptor import Descriptor
from kitline.oci.manifest import ImageManifest
from kitline.store.ingest import prune_ingest
from kitline.store.local import LocalStores
from kitline.store.source import BytesSource
from kitline.store.verify import VerifyingStream
from kitline.testing.processes import olareg, peer

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.store.layout import LayoutStore

# Packs kits without end: each shares a layer with the others and has one of its own, and is tagged
# twice, so that the tag `latest` moves.
WORKER = """
import sys
from pathlib import Path
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import ImageManifest
from kitline.store.local import LocalStores
from kitline.store.source import BytesSource

def push(store, data, known):
    digest = Digest.of(data) if known else None
    stored = store.push_blob(BytesSource(data), digest=digest)
    return Descriptor(media_type="text/plain", digest=stored.digest, size=stored.size)

root, name, seed, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
print("ready", flush=True)
with LocalStores(root).open("crash") as store:
    for number in range(count):
        own = f"{seed}-{number}".encode()
        layers = [
            push(store, b"shared" * 200_000, known=True),
            push(store, own * 40_000, known=number % 2 == 0),
            push(store, own * 10, known=False),
        ]
        manifest = ImageManifest.build(config=push(store, b"{}", known=True), layers=layers)
        store.push_manifest(manifest)
        store.set_tag("latest", manifest)
        store.set_tag(f"{name}-{seed}-{number}", manifest)
"""


def start(root: Path, name: str, seed: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), name, str(seed), str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_at_random(root: Path, seed: int, chance: random.Random) -> None:
    process = start(root, "k", seed, 10_000)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()  # past the imports, where nothing can break
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.wait()


def verify_all(store: LayoutStore) -> int:
    buffer = memoryview(bytearray(1 << 20))
    for descriptor in store.list_manifests():
        for each in store.get_manifest(descriptor.digest).references:
            with VerifyingStream(store.fetch(each), each) as stream:
                while stream.readinto(buffer):
                    pass
    return len(store.list_manifests())


def kill_often(root: Path, times: int) -> LayoutStore:
    chance = random.Random(20)
    store = LocalStores(root).open("crash")
    for seed in range(times):
        kill_at_random(root, seed, chance)
        store.list_tags()
    verify_all(store)
    return store


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_after_every_kill_all_that_is_listed_verifies(tmp_path: Path, times: int) -> None:
    store = kill_often(tmp_path, times)
    layer = store.push_blob(BytesSource(b"shared" * 200_000))
    config = Descriptor(media_type="text/plain", digest=layer.digest, size=layer.size)
    manifest = ImageManifest.build(config=config, layers=[])
    store.push_manifest(manifest)
    store.set_tag("after", manifest)
    assert store.find_tag("after") == manifest.descriptor
    store.close()
    prune_ingest(store.place.ingest, older_than=0)
    assert sorted(each.name for each in store.folder.iterdir()) == [
        ".index.lock",
        "blobs",
        "index.json",
        "ingest",
        "oci-layout",
    ]
    assert not list((store.folder / "ingest").iterdir())


def test_clean_up_between_kills_never_takes_what_is_needed(tmp_path: Path) -> None:
    chance = random.Random(7)
    store = LocalStores(tmp_path).open("crash")
    writer = start(tmp_path, "writer", 1000, 40)
    for seed in range(4):
        kill_at_random(tmp_path, seed, chance)
        store.prune(grace=0)
    assert writer.communicate()[0] == "ready\n"
    assert writer.returncode == 0
    assert set(store.list_tags(prefix="writer-")) == {f"writer-1000-{n}" for n in range(40)}
    store.prune(grace=0)
    assert verify_all(store) == len({store.find_tag(tag) for tag in store.list_tags()})


def test_eight_processes_tagging_at_once_lose_nothing(tmp_path: Path) -> None:
    processes = [start(tmp_path, "p", seed, 5) for seed in range(8)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 8
    store = LocalStores(tmp_path).open("crash")
    expected = {f"p-{seed}-{number}" for seed in range(8) for number in range(5)}
    assert set(store.list_tags(prefix="p-")) == expected
    assert verify_all(store) == 40
    assert not list((store.folder / "ingest").iterdir())


# Independent readers


def packed(root: Path, name: str) -> tuple[LayoutStore, ImageManifest]:
    with LocalStores(root).open(name) as store:
        layer = store.push_blob(BytesSource(b"model" * 1000))
        config = store.push_blob(BytesSource(b"{}"))
        manifest = ImageManifest.build(
            config=Descriptor(
                media_type="application/vnd.example.config.v1+json",
                digest=config.digest,
                size=config.size,
            ),
            layers=[Descriptor(media_type="text/plain", digest=layer.digest, size=layer.size)],
        )
        store.push_manifest(manifest)
        store.set_tag("v1", manifest)
    return store, manifest


@pytest.mark.peer
def test_skopeo_reads_a_layout_by_tag(tmp_path: Path) -> None:
    store, manifest = packed(tmp_path / "root", "iris")
    target = tmp_path / "copied"
    subprocess.run(
        [
            peer("skopeo"),
            "--insecure-policy",
            "copy",
            f"oci:{store.folder}:v1",
            f"oci:{target}:v1",
        ],
        check=True,
        capture_output=True,
    )
    assert (target / "blobs" / "sha256" / manifest.digest.hex).read_bytes() == manifest.raw


@pytest.mark.peer
def test_oras_reads_a_layout_by_tag(tmp_path: Path) -> None:
    store, manifest = packed(tmp_path / "root", "iris")
    found = subprocess.run(
        [peer("oras"), "manifest", "fetch", "--oci-layout", f"{store.folder}:v1"],
        check=True,
        capture_output=True,
    )
    assert found.stdout == manifest.raw


@pytest.mark.peer
@pytest.mark.registry
def test_olareg_serves_every_repository_under_its_name_and_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    names = ["iris", "iris/part", "team/deep/iris", "a/blobs-of-mine"]
    manifests = {name: packed(root, name)[1] for name in names}
    before = {each: each.stat().st_mtime_ns for each in root.rglob("*")}
    with olareg(root, "--store-ro") as server:
        for name, manifest in manifests.items():
            url = f"{server.url}/v2/{name}/manifests/v1"
            request = urllib.request.Request(url, headers={"Accept": manifest.media_type})
            with urllib.request.urlopen(request) as answer:
                assert answer.read() == manifest.raw
    assert {each: each.stat().st_mtime_ns for each in root.rglob("*")} == before
