"""Stages in real registries: another tool moves their tags, collectors run, kits are pruned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from harness.registries import collect_garbage, serve
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kitline
    from harness.registries import Registry

pytestmark = pytest.mark.registry

STAGE = "production"


def keygen(kitline: Kitline, folder: Path) -> tuple[str, str]:
    """Write a pair of keys; return their paths."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "ours.key", folder / "ours.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return str(private), str(public)


def pack(kitline: Kitline, folder: Path, reference: str, name: str, *options: str) -> str:
    """Pack a kit with a content of its own; return its pinned reference."""
    tree = write_tree(folder / f"tree-{name}", {"model.bin": name.encode()})
    return kitline.pinned("pack", tree, "-t", reference, *options)


def stage(kitline: Kitline, place: str, *options: str) -> dict[str, Any]:
    """Return what `production` is said to hold."""
    done = kitline.run("stages", place, "--history", STAGE, "--json", *options)
    (state,) = json.loads(done.stdout)["stages"]
    assert isinstance(state, dict)
    return state


@pytest.mark.peer
def test_a_tag_that_crane_moved_is_said_to_and_refused_by_a_policy(
    kitline: Kitline,
    registry: Registry,
    repository: str,
    tmp_path: Path,
    peer: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    place = registry.reference(repository)
    private, public = keygen(kitline, tmp_path)
    good = pack(kitline, tmp_path, f"{place}:v1", "good")
    other = pack(kitline, tmp_path, f"{place}:v2", "other")
    kitline.run("promote", good, STAGE, "--key", private)
    policy = tmp_path / "policy.toml"
    policy.write_text(f"[policy]\nsigned_promotions = true\nkeys = [{json.dumps(public)}]\n")
    for each in (good, other):
        kitline.run("sign", each, "--key", private)
    strict = ("--policy", str(policy))
    kitline.run("pull", f"{place}:{STAGE}", "live:v1", *strict)

    peer("crane", "tag", other, STAGE)

    state = stage(kitline, place)
    assert state["movedOutside"] is True
    assert (state["digest"], state["tag"]) == (good.partition("@")[2], other.partition("@")[2])
    shown = kitline.run("stages", place)
    assert "moved outside kitline" in shown.stdout
    assert f"the tag points at {other.partition('@')[2]}" in shown.stderr
    refused = kitline.run("pull", f"{place}:{STAGE}", "live:v2", *strict, check=False)
    assert refused.returncode == 3
    kitline.run("promote", good, STAGE)
    assert stage(kitline, place)["movedOutside"] is False
    kitline.run("pull", f"{place}:{STAGE}", "live:v3", *strict)


@pytest.mark.peer
def test_after_a_collection_everything_still_verifies_and_rollback_lands(
    kitline: Kitline, other_kitline: Kitline, tmp_path: Path
) -> None:
    private, public = keygen(kitline, tmp_path)
    run = json.dumps({"system": "script", "id": "run-1"})
    with serve("distribution", tmp_path / "registry") as registry:
        place = registry.reference("t/iris")
        pinned = []
        for turn in range(3):
            tree = write_tree(tmp_path / "tree", {"model.bin": str(turn).encode()})
            settings = {**kitline.settings, "KITLINE_INVOCATION": run, "KITLINE_SIGN_KEY": private}
            maker = type(kitline)(home=kitline.home, settings=settings)
            pinned.append(maker.pinned("pack", tree, "-t", f"{place}:latest"))
            maker.run("sign", pinned[-1], "--key", private)
            maker.run("promote", pinned[-1], STAGE)

        said = collect_garbage(tmp_path / "registry")

        assert len(set(pinned)) == 3, said
        for turn, reference in enumerate(pinned):
            other_kitline.run("verify", reference, "--key", public, "--attestation", "provenance")
            other_kitline.run("unpack", reference, "-d", tmp_path / f"out-{turn}")
            assert (tmp_path / f"out-{turn}/model.bin").read_text() == str(turn)
        history = stage(other_kitline, place, "--key", public)["history"]
        assert [each["kit"] for each in history] == [each.partition("@")[2] for each in pinned]
        assert all(each["verifiedWith"] for each in history)
        assert other_kitline.pinned("rollback", place, STAGE) == pinned[1]
        assert other_kitline.pinned("rollback", place, STAGE) == pinned[0]


@pytest.mark.slow
def test_prune_keeps_what_stages_need_on_every_registry(
    kitline: Kitline, registry: Registry, repository: str, tmp_path: Path
) -> None:
    place = registry.reference(repository)
    kits = [pack(kitline, tmp_path, f"{place}:v{n}", str(n)) for n in range(4)]
    kitline.run("promote", kits[0], STAGE)
    kitline.run("promote", kits[1], STAGE)
    kitline.run("attest", kits[2], "--type", "evaluation", "--metric", "accuracy=1")

    done = kitline.run("prune", place, "--keep-stages", "--grace", "0s", "--json")

    removed = json.loads(done.stdout)["removed"]
    assert sorted(removed) == sorted(each.partition("@")[2] for each in kits[2:])
    for each in kits[:2]:
        kitline.run("inspect", each)
    for each in kits[2:]:
        assert kitline.run("inspect", each, check=False).returncode == 1
    assert kitline.pinned("rollback", place, STAGE) == kits[0]


@pytest.mark.slow
def test_the_stages_of_many_repositories_are_one_table_where_the_registry_tells_them(
    kitline: Kitline, registry: Registry, repository: str, tmp_path: Path
) -> None:
    places = [registry.reference(f"{repository}-many/{name}") for name in ("one", "two")]
    for place in places:
        kitline.run("promote", pack(kitline, tmp_path, f"{place}:v1", "x"), STAGE)
    pattern = registry.reference(f"{repository}-many/*")

    done = kitline.run("stages", pattern, "--json", check=False)

    if registry.kind == "olareg":  # it has no catalog
        assert done.returncode == 1
        assert "name each repository instead of a pattern" in done.stderr
    else:
        found = [each["repository"] for each in json.loads(done.stdout)["stages"]]
        assert found == places
