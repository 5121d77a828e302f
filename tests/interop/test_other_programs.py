"""oras, crane, skopeo and olareg read and move what kitline wrote; the digest stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from harness.registries import serve_layouts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kit, Kitline
    from harness.registries import Registry

    RunPeer = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.peer, pytest.mark.registry]


@pytest.fixture
def pushed(kitline: Kitline, registry: Registry, tree: Path, repository: str) -> str:
    """The tagged reference of a kit in the registry."""
    reference = registry.reference(f"{repository}:v1")
    kitline.run("pack", tree, "-t", reference)
    return reference


@pytest.fixture
def layout(kitline: Kitline, tree: Path) -> Path:
    """A layout of the local store, with a kit tagged v1."""
    kitline.run("pack", tree, "-t", "team/iris:v1")
    return kitline.layout("team/iris")


def complaints_of_crane(peer: RunPeer, reference: str) -> list[str]:
    """Read everything with `crane validate`; no ModelKit has the config of a container image."""
    said = peer("crane", "validate", "--remote", reference, check=False).stderr
    found = [line for line in said.splitlines() if line.startswith("Error: ")]
    return [line for line in found if "invalid ConfigFile.RootFS.Type" not in line]


def test_crane_finds_every_byte_as_promised(pushed: str, peer: RunPeer) -> None:
    assert complaints_of_crane(peer, pushed) == []


def test_crane_misses_no_more_in_our_kits_than_in_those_of_kit(
    pushed: str, peer: RunPeer, kit: Kit, tree: Path
) -> None:
    theirs = pushed.replace(":v1", "-theirs:v1")
    kit.pack(tree, theirs)
    kit.run("push", theirs, "--plain-http")

    ours_said, theirs_said = (
        peer("crane", "validate", "--remote", reference, check=False).stderr.replace(reference, "")
        for reference in (pushed, theirs)
    )

    assert ours_said == theirs_said


def test_oras_copies_with_the_digest_kept(pushed: str, peer: RunPeer, kitline: Kitline) -> None:
    target = pushed.replace(":v1", "-oras:v1")

    peer("oras", "cp", "--from-plain-http", "--to-plain-http", pushed, target)

    assert kitline.inspect(target)["digest"] == kitline.inspect(pushed)["digest"]


def test_crane_copies_with_the_digest_kept(pushed: str, peer: RunPeer, kitline: Kitline) -> None:
    target = pushed.replace(":v1", "-crane:v1")

    peer("crane", "copy", pushed, target)

    assert kitline.inspect(target)["digest"] == kitline.inspect(pushed)["digest"]


def test_skopeo_copies_into_a_layout_that_kitline_unpacks(
    pushed: str,
    peer: RunPeer,
    kitline: Kitline,
    tmp_path: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    target = tmp_path / "skopeo"

    peer(
        "skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
        f"docker://{pushed}", f"oci:{target}:v1",
    )  # fmt: skip
    kitline.run("unpack", f"oci:{target}:v1", "-d", tmp_path / "out")

    assert kitline.inspect(f"oci:{target}:v1")["digest"] == kitline.inspect(pushed)["digest"]
    assert read_files(tmp_path / "out") == tree_files


def test_oras_reads_the_local_store_by_tag(layout: Path, peer: RunPeer, kitline: Kitline) -> None:
    described = peer(
        "oras", "manifest", "fetch", "--oci-layout", f"{layout}:v1", "--descriptor"
    ).stdout
    copied = layout.parent.parent / "copied"
    peer("oras", "cp", "--from-oci-layout", "--to-oci-layout", f"{layout}:v1", f"{copied}:v1")

    digest = kitline.inspect("team/iris:v1")["digest"]
    assert json.loads(described)["digest"] == digest
    assert kitline.inspect(f"oci:{copied}:v1")["digest"] == digest


def test_skopeo_reads_the_local_store_by_tag(
    layout: Path, peer: RunPeer, kitline: Kitline, tmp_path: Path
) -> None:
    target = tmp_path / "skopeo"

    peer("skopeo", "--insecure-policy", "copy", f"oci:{layout}:v1", f"oci:{target}:v1")

    assert (
        kitline.inspect(f"oci:{target}:v1")["digest"] == kitline.inspect("team/iris:v1")["digest"]
    )


def test_olareg_serves_the_local_store_by_tag(
    layout: Path, peer: RunPeer, kitline: Kitline
) -> None:
    before = (layout / "index.json").read_bytes()

    with serve_layouts(layout.parent.parent) as served:
        iris = served.reference("team/iris:v1")
        assert complaints_of_crane(peer, iris) == []
        digest = peer("crane", "digest", iris).stdout.strip()

    assert digest == kitline.inspect("team/iris:v1")["digest"]
    assert (layout / "index.json").read_bytes() == before


def test_an_archive_is_read_by_skopeo(
    layout: Path, peer: RunPeer, kitline: Kitline, tmp_path: Path
) -> None:
    archive = tmp_path / "kit.tar"
    kitline.run("copy", "team/iris:v1", f"oci-archive:{archive}:v1")

    peer(
        "skopeo", "--insecure-policy", "copy", f"oci-archive:{archive}:v1",
        f"oci:{tmp_path / 'out'}:v1",
    )  # fmt: skip

    assert (
        kitline.inspect(f"oci:{tmp_path / 'out'}:v1")["digest"]
        == kitline.inspect("team/iris:v1")["digest"]
    )
