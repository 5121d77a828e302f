"""What kitline pushes, the real kit lists, inspects, pulls and unpacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kit, Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]


@pytest.fixture
def pushed(kitline: Kitline, registry: Registry, tree: Path, repository: str) -> str:
    """The pinned reference of a kit packed straight into the registry."""
    return kitline.pinned("pack", tree, "-t", registry.reference(f"{repository}:v1"))


def test_kit_unpacks_by_tag_and_by_digest_from_the_registry(
    pushed: str,
    kit: Kit,
    tmp_path: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    tagged = pushed.partition("@")[0] + ":v1"

    kit.run("unpack", tagged, "-d", tmp_path / "by-tag", "--plain-http")
    kit.run("unpack", pushed, "-d", tmp_path / "by-digest", "--plain-http")

    assert read_files(tmp_path / "by-tag") == tree_files
    assert read_files(tmp_path / "by-digest") == tree_files


def test_kit_pulls_and_then_unpacks_from_its_own_store(
    pushed: str,
    kit: Kit,
    tmp_path: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    pulled = kit.run("pull", pushed, "--plain-http").stdout
    kit.run("unpack", pushed, "-d", tmp_path / "out")

    assert pushed.partition("@")[2] in pulled
    assert read_files(tmp_path / "out") == tree_files


def test_kit_inspects_lists_and_informs(pushed: str, kit: Kit) -> None:
    repository, _, digest = pushed.partition("@")

    inspected = json.loads(kit.run("inspect", "-r", pushed, "--plain-http").stdout)
    listed = json.loads(kit.run("list", repository, "--format", "json", "--plain-http").stdout)
    info = kit.run("info", "-r", pushed, "-f", ".model.path", "--plain-http").stdout

    assert inspected["digest"] == digest
    assert inspected["kitfile"]["package"]["name"] == "iris"
    assert {(each["digest"], tag) for each in listed for tag in each["tags"]} == {
        (digest, "v1"),
        (digest, "kit-" + digest.removeprefix("sha256:")[:32]),
    }
    assert info.strip() == "model"


def test_kit_pushes_on_what_it_pulled_with_the_digest_unchanged(
    pushed: str, kit: Kit, kitline: Kitline, repository: str
) -> None:
    host, _, rest = pushed.partition("/")
    digest = rest.partition("@")[2]
    moved = f"{host}/{repository}-moved:v1"

    kit.run("pull", pushed.partition("@")[0] + ":v1", "--plain-http")
    kit.run("tag", pushed.partition("@")[0] + ":v1", moved)
    kit.run("push", moved, "--plain-http")

    assert kitline.inspect(moved)["digest"] == digest


def test_a_kit_copied_from_the_local_store_is_the_one_packed_straight_away(
    pushed: str, kitline: Kitline, registry: Registry, tree: Path, repository: str
) -> None:
    target = registry.reference(f"{repository}-copied:v1")

    local = kitline.digest("pack", tree, "-t", "iris:v1")
    copied = kitline.digest("copy", "iris:v1", target)

    assert {local, copied} == {pushed.partition("@")[2]}
