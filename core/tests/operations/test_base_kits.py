"""Kits that refer to other kits: a base model, and datasets that lie elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.testing.trees import read_tree, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine
    from kitline.testing.trees import Tree

ADAPTER = """
manifestVersion: 1.0.0
model:
  path: {base}
  parts:
    - path: adapter
code:
  - path: src
"""


@pytest.fixture
def base(run: CommandLine, folder: Path, local_registry: LocalRegistry) -> str:
    """A kit in a registry, named by its tag."""
    name = f"{local_registry.host}/team/base:v1"
    assert run("pack", folder, "-t", name).pinned
    return name


@pytest.fixture
def adapter(tmp_path: Path, base: str) -> Path:
    tree: Tree = {
        "Kitfile": ADAPTER.format(base=base),
        "adapter/a.bin": b"a",
        "src/run.py": "pass\n",
    }
    return write_tree(tmp_path / "adapter", tree)


def files_in(folder: Path) -> set[str]:
    return {name for name, content in read_tree(folder).items() if content is not None}


def test_a_base_kit_becomes_a_parent(run: CommandLine, adapter: Path, base: str) -> None:
    run("pack", adapter, "-t", "adapter:v1")

    digest = run("inspect", base).digest
    assert run("inspect", "adapter:v1", "--json").json["parents"] == [
        {"digest": digest, "role": "base"}
    ]


def test_unpack_brings_the_model_of_the_base_kit(
    run: CommandLine, adapter: Path, tmp_path: Path
) -> None:
    run("pack", adapter, "-t", "adapter:v1")

    run("unpack", "adapter:v1", "-d", tmp_path / "out")
    run("unpack", "adapter:v1", "-d", tmp_path / "code", "-f", "code")

    assert files_in(tmp_path / "out") == {
        "Kitfile", "adapter/a.bin", "src/run.py", "model/model.bin", "model/labels.txt",
    }  # fmt: skip
    assert files_in(tmp_path / "code") == {"src/run.py"}


def test_a_base_kit_that_is_missing_is_named(
    run: CommandLine, adapter: Path, base: str, local_registry: LocalRegistry, tmp_path: Path
) -> None:
    run("pack", adapter, "-t", "adapter:v1")
    digest = run("inspect", base).digest
    local_registry.content.create("team/base").remove_manifest(digest)

    packed = run("pack", adapter, "-t", "adapter:v2")
    unpacked = run("unpack", "adapter:v1", "-d", tmp_path / "out")

    assert packed.code == unpacked.code == 1
    assert "of model.path: no tag 'v1' in" in packed.error
    assert f"of model.path: '{local_registry.host}/team/base' has no manifest" in unpacked.error
    assert not (tmp_path / "out").exists()


def test_the_base_stays_the_one_that_was_found_at_packing(
    run: CommandLine, adapter: Path, base: str, folder: Path, tmp_path: Path
) -> None:
    run("pack", adapter, "-t", "adapter:v1")
    before = (folder / "model/model.bin").read_bytes()
    (folder / "model/model.bin").write_bytes(b"other")
    run("pack", folder, "-t", base)

    run("unpack", "adapter:v1", "-d", tmp_path / "out")

    assert (tmp_path / "out/model/model.bin").read_bytes() == before


def test_kits_that_refer_to_each_other_in_a_circle_are_refused(
    run: CommandLine, adapter: Path, base: str, tmp_path: Path
) -> None:
    run("pack", adapter, "-t", base, "--annotation", "io.kitline.parents=[]")  # as kit does

    result = run("pack", adapter, "-t", "adapter:v2")
    unpacked = run("unpack", base, "-d", tmp_path / "out")

    assert (result.code, unpacked.code) == (1, 1)
    assert "goes in a circle" in result.error
    assert "goes in a circle" in unpacked.error


def test_tags_in_a_registry_are_set_and_removed(
    run: CommandLine, folder: Path, base: str, local_registry: LocalRegistry
) -> None:
    tagged = run("tag", base, "prod")
    again = run("tag", base, "prod", "--no-move")
    removed = run("remove", base)

    tags = local_registry.content.create("team/base").tags
    assert tagged.pinned == again.pinned == removed.pinned
    assert set(tags) == {"prod", f"kit-{tagged.digest[7:39]}"}
    assert "removed tag 'v1'" in removed.stderr

    whole = run("remove", tagged.pinned, "--json").json

    assert set(whole["removedTags"]) == {"prod", f"kit-{tagged.digest[7:39]}"}
    assert local_registry.content.create("team/base").tags == {}
    assert "has no manifest" in run("inspect", tagged.pinned).error
