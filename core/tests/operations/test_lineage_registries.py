"""Lineage on real registries: many writers at once, many children, and a way through a folder."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.lineage.edge import build_edge
from kitline.oci.digest import Digest
from kitline.oci.reference import PinnedReference
from kitline.operations.settings import Settings
from kitline.operations.stores import Stores, read_reference
from kitline.plugin import Invocation
from kitline.store.registry.referrer_tags import referrer_tag
from kitline.testing.processes import olareg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.oci.manifest import ImageManifest, Manifest
    from kitline.operations.results import KitResult
    from kitline.testing.processes import RunningRegistry

WRITERS = 16
CHILDREN = 10_000
REGISTRIES = ["distribution_3", "docker_registry_2", "olareg_registry"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to pack from."""
    (tmp_path / "kit").mkdir()
    return tmp_path / "kit"


@pytest.fixture(params=REGISTRIES)
def host(request: pytest.FixtureRequest) -> str:
    running: RunningRegistry = request.getfixturevalue(request.param)
    return running.host


def pack(folder: Path, to: str, file: str, content: str, **more: object) -> KitResult:
    for each in folder.iterdir():
        each.unlink()
    (folder / file).write_text(content)
    return kitline.pack(folder, to, **more)  # type: ignore[arg-type]  # keywords of pack


@pytest.mark.registry
@pytest.mark.slow
def test_sixteen_writers_at_once_lose_no_edge(host: str, tmp_path: Path, folder: Path) -> None:
    data = pack(folder, f"{host}/lineage-writers/data:v1", "train.csv", "a\n")
    folders = [tmp_path / f"model-{n}" for n in range(WRITERS)]
    for number, each in enumerate(folders):
        each.mkdir()
        (each / "model.bin").write_text(f"model {number}")

    def make(number: int) -> KitResult:
        run = Invocation(system="airflow", id=f"run {number}")
        target = f"{host}/lineage-writers/iris:v{number}"
        return kitline.pack(folders[number], target, parents=[str(data)], invocation=run)

    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(make, range(WRITERS)))
    again = [make(number) for number in range(WRITERS)]

    assert [each.warnings for each in (*made, *again)] == [()] * (2 * WRITERS)
    listed = kitline.inspect(data.reference).referrers
    assert len(listed) == WRITERS
    found = kitline.trace_lineage(str(data), up=False)
    assert {each.child for each in found.edges} == {each.digest for each in made}
    assert all("derived" in each.sources for each in found.edges)
    assert {run for each in found.nodes for run in each.runs} == {
        f"airflow run {number}" for number in range(WRITERS)
    }


@pytest.mark.registry
@pytest.mark.slow
def test_sixteen_runs_at_once_lose_no_provenance(host: str, folder: Path) -> None:
    made = pack(folder, f"{host}/lineage-runs/iris:v1", "model.bin", "x")

    def run(number: int) -> Digest:
        invocation = Invocation(system="kfp", id=f"run {number}")
        return kitline.pack(folder, f"{host}/lineage-runs/iris:v1", invocation=invocation).digest

    with ThreadPoolExecutor(WRITERS) as pool:
        digests = set(pool.map(run, range(WRITERS)))

    assert digests == {made.digest}
    found = kitline.trace_lineage(str(made))
    assert len(found.node.runs) == WRITERS


@pytest.mark.registry
@pytest.mark.slow
@pytest.mark.parametrize("name", ["distribution_3", "docker_registry_2"])
def test_a_dataset_with_ten_thousand_children_answers(
    name: str, request: pytest.FixtureRequest, folder: Path
) -> None:
    running: RunningRegistry = request.getfixturevalue(name)
    data = pack(folder, f"{running.host}/many/data:v1", "train.csv", "a\n")
    with Stores(Settings.load()) as stores:
        parent = stores.open(read_reference(f"{running.host}/many/data")).get_manifest(data.digest)
    fill(running.folder, parent, edges_of(parent, running.host))

    check_many(str(data))


@pytest.mark.registry
@pytest.mark.slow
def test_a_dataset_with_ten_thousand_children_answers_on_olareg(
    tmp_path: Path, folder: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # olareg 0.2.1 stops answering for good when several connections read a repository this large
    monkeypatch.setenv("KITLINE_CONCURRENCY", "1")
    data = pack(folder, "many/data:v1", "train.csv", "a\n")
    layout = isolated_home / "kitline" / "store" / "many" / "data"
    index = json.loads((layout / "index.json").read_text())
    with Stores(Settings.load()) as stores:
        parent = stores.open_local("many/data").get_manifest(data.digest)
    (layout / "blobs/sha256" / Digest.of(b"{}").hex).write_bytes(b"{}")
    for each in edges_of(parent, "reg.example"):
        (layout / "blobs/sha256" / each.digest.hex).write_bytes(each.raw)
        note = {"org.opencontainers.image.ref.name": referrer_tag(data.digest, each)}
        index["manifests"].append({**each.descriptor.to_json(), "annotations": note})
    root = tmp_path / "served" / "many"
    root.mkdir(parents=True)
    layout.rename(root / "data")
    (root / "data" / "index.json").write_text(json.dumps(index))

    with olareg(tmp_path / "served") as running:
        reference = f"{running.host}/many/data@{data.digest}"
        check_many(reference)


def edges_of(parent: Manifest, host: str) -> Iterator[ImageManifest]:
    for number in range(CHILDREN):
        digest = Digest.of(b"child %d" % number)
        child = PinnedReference(registry=host, repository="many/iris", digest=digest)
        yield build_edge(parent.descriptor, child, "data")


def fill(storage: Path, parent: Manifest, edges: Iterator[ImageManifest]) -> None:
    """Lay edges into the storage of distribution as pushes would, which would take minutes."""
    root = storage / "docker" / "registry" / "v2"
    manifests = root / "repositories" / "many" / "data" / "_manifests"
    for each in edges:
        digest = each.digest
        blob = root / "blobs" / "sha256" / digest.hex[:2] / digest.hex
        tag = manifests / "tags" / referrer_tag(parent.digest, each)
        links = (manifests / "revisions" / "sha256" / digest.hex, tag / "current")
        blob.mkdir(parents=True)
        (blob / "data").write_bytes(each.raw)
        for folder in links:
            folder.mkdir(parents=True)
            (folder / "link").write_text(str(digest))


def check_many(reference: str) -> None:
    """Everything is named; the kits themselves are read up to a limit, and that is said."""
    found = kitline.trace_lineage(reference, up=False)

    assert len(found.edges) == CHILDREN
    assert not found.complete
    assert any("kits were not read" in each for each in found.reasons)
    assert len(found.nodes) == CHILDREN + 1


@pytest.mark.registry
@pytest.mark.slow
def test_the_way_through_a_folder_to_another_registry_keeps_the_answer(
    distribution_3: RunningRegistry,
    olareg_registry: RunningRegistry,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = distribution_3.host, olareg_registry.host
    data = pack(folder, f"{one}/lineage-way/data:v1", "train.csv", "a\n")
    run = Invocation(system="kfp", id="run-1")
    parents = [str(data)]
    model = pack(
        folder, f"{one}/lineage-way/iris:v1", "m.bin", "m", parents=parents, invocation=run
    )
    before = kitline.trace_lineage(str(model), down=False)
    usb = f"oci:{tmp_path / 'usb'}:v1"
    kitline.copy(str(model), usb, with_parents=True)
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "elsewhere"))
    kitline.copy(usb, f"{two}/lineage-way/iris:v1", with_parents=True)
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "a-third"))

    after = kitline.trace_lineage(f"{two}/lineage-way/iris:v1", down=False)

    assert after.complete
    assert after.edges == before.edges
    assert [each.runs for each in after.nodes] == [each.runs for each in before.nodes]
    # the first registry was not needed: nobody asked it
    assert all(each.repository.startswith(two) for each in after.rests_on)


@pytest.mark.registry
@pytest.mark.slow
def test_one_digest_whatever_registry_the_parent_is_in(
    distribution_3: RunningRegistry, olareg_registry: RunningRegistry, folder: Path
) -> None:
    data = pack(folder, "lineage-one/data:v1", "train.csv", "a\n")
    places = ["lineage-one/data:v1"]
    for each in (distribution_3, olareg_registry):
        kitline.push("lineage-one/data:v1", f"{each.host}/lineage-one/data:v1")
        places.append(f"{each.host}/lineage-one/data:v1")

    made = [
        pack(folder, f"lineage-one/iris:v{n}", "m.bin", "m", parents=[place])
        for n, place in enumerate(places)
    ]

    assert len({each.digest for each in made}) == 1
    assert all(each.receipt and each.receipt.parents[0].digest == data.digest for each in made)
