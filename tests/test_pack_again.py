"""Packing an unchanged folder into a registry again asks, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.programs import Kitline
from kitline.testing import LocalRegistry
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from pathlib import Path


def test_packing_again_sends_head_requests_only(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", SMALL_KIT)
    kitline = Kitline(home=tmp_path / "home")
    with LocalRegistry() as registry:
        reference = f"{registry.host}/team/iris:v1"
        first = kitline.pinned("pack", tree, "-t", reference)
        registry.forget()

        again = kitline.pinned("pack", tree, "-t", reference)

        asked = [(request.method, request.path) for request in registry.requests]
    assert again == first
    assert {method for method, _ in asked} == {"HEAD"}, asked


def test_a_new_kit_is_looked_for_only_where_it_may_be(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"model.bin": b"m" * (5 << 20)})
    kitline = Kitline(home=tmp_path / "home")
    with LocalRegistry() as registry:
        kitline.pinned("pack", tmp_path / "tree", "-t", f"{registry.host}/team/iris:v1")

        asked = [(each.method, each.path) for each in registry.requests]
    assert [method for method, _ in asked] == [
        *("HEAD", "POST", "PATCH", "PUT"),  # the tag, in case it shares a layer; the layer
        *("POST", "PUT", "PUT", "PUT"),  # config, manifest, keep tag
        *("HEAD", "PUT", "HEAD"),  # the tag: where it was, the move, and whether it is there now
    ], asked
