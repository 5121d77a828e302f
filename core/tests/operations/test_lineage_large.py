"""A graph of ten thousand kits, made by a script: all of it is read, and answered in both ways."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import ImageManifest
from kitline.plugin.records import Parent, parents_text

if TYPE_CHECKING:
    from pathlib import Path

KITS = 10_000
REPOSITORIES = 100
MODELKIT = "application/vnd.kitops.modelkit"


@pytest.mark.slow
def test_ten_thousand_kits_are_answered_in_both_directions(isolated_home: Path) -> None:
    parents = make_graph(isolated_home / "kitline" / "store" / "graph")

    read = kitline.index_lineage()
    down = kitline.trace_lineage("graph/r0:v0", up=False)
    last = kitline.trace_lineage(f"graph/r{(KITS - 1) % REPOSITORIES}:v{KITS - 1}", down=False)

    assert sum(each.manifests for each in read) == KITS
    assert down.complete
    assert len(down.nodes) == KITS  # all of it was made from the first kit
    assert len(down.edges) == sum(map(len, parents.values()))
    assert {each.digest for each in last.nodes} == ancestors_of(last.root, parents)
    assert {each.type for each in last.nodes} == {"dataset", "model"}
    assert len(kitline.find("digest", str(last.root))) == 1
    page = down.render("html")
    assert len(page) < 3_000_000
    assert "kits that lie further away are not in the picture" in page


def make_graph(root: Path) -> dict[Digest, set[Digest]]:
    """Write kits into layouts, each made from one to three earlier ones; return the parents."""
    pick = random.Random(1)
    digests: list[Digest] = []
    parents: dict[Digest, set[Digest]] = {}
    entries: dict[int, list[object]] = {number: [] for number in range(REPOSITORIES)}
    for number in range(KITS):
        blobs = root / f"r{number % REPOSITORIES}" / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        chosen = set(pick.choices(digests[-200:], k=2)) if digests else set()
        chosen |= {digests[0]} if digests and number % 3 == 0 else set()
        manifest = make_kit(blobs, number, chosen)
        digests.append(manifest.digest)
        parents[manifest.digest] = chosen
        note = {"org.opencontainers.image.ref.name": f"v{number}"}
        entry = {**manifest.descriptor.to_json(), "annotations": note}
        entries[number % REPOSITORIES].append(entry)
    for number, listed in entries.items():
        folder = root / f"r{number}"
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return parents


def make_kit(blobs: Path, number: int, parents: set[Digest]) -> ImageManifest:
    config = json.dumps({"manifestVersion": "1.0.0", "package": {"name": f"kit-{number}"}})
    kind = "dataset" if number < KITS // 10 else "model"
    named = tuple(Parent(digest=each, role="data") for each in parents)
    manifest = ImageManifest.build(
        artifact_type=f"{MODELKIT}.manifest.v1+json",
        config=write(blobs, f"{MODELKIT}.config.v1+json", config.encode()),
        layers=[write(blobs, f"{MODELKIT}.{kind}.v1.tar", b"content %d" % number)],
        annotations={"io.kitline.parents": parents_text(named)} if named else {},
    )
    (blobs / manifest.digest.hex).write_bytes(manifest.raw)
    return manifest


def write(blobs: Path, media_type: str, content: bytes) -> Descriptor:
    digest = Digest.of(content)
    (blobs / digest.hex).write_bytes(content)
    return Descriptor(media_type=media_type, digest=digest, size=len(content))


def ancestors_of(digest: Digest, parents: dict[Digest, set[Digest]]) -> set[Digest]:
    found, waiting = {digest}, [digest]
    while waiting:
        new = parents[waiting.pop()] - found
        found |= new
        waiting += new
    return found
