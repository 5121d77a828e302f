"""Trees that hypothesis draws become the same config and layers in kit and in kitline.

And the cases where they do not, on purpose: each known difference has its own test.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.programs import Kit, Kitline, need_program
from harness.trees import DrawnTree, trees, write_drawn
from hypothesis import HealthCheck, given, settings
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def compare(kit: Kit, kitline: Kitline, drawn: DrawnTree) -> None:
    """Pack one tree with both and compare config and layers, annotations included."""
    with tempfile.TemporaryDirectory() as folder:
        write_drawn(Path(folder), drawn)
        theirs = kit.manifest(kit.pack(Path(folder), "drawn:v1"))
        ours = kitline.manifest("drawn", kitline.digest("pack", folder, "-t", "drawn:v1"))
    assert ours["layers"] == theirs["layers"]
    assert ours["config"] == theirs["config"]


@settings(PATIENT, max_examples=8, derandomize=True)
@given(drawn=trees())
def test_a_few_trees_give_the_same_config_and_layers(
    kit: Kit, kitline: Kitline, drawn: DrawnTree
) -> None:
    compare(kit, kitline, drawn)


@pytest.mark.peer
@pytest.mark.slow
@settings(PATIENT, max_examples=200)
@given(drawn=trees())
def test_two_hundred_trees_give_the_same_config_and_layers(
    kit: Kit, kitline: Kitline, drawn: DrawnTree
) -> None:
    compare(kit, kitline, drawn)


# ---- known differences ----------------------------------------------------------------------


def make(folder: Path, files: dict[str, str], code: list[str]) -> Path:
    layers = "".join(f"- path: {path!r}\n" for path in code)
    return write_tree(folder, {**files, "Kitfile": f"manifestVersion: 1.0.0\ncode:\n{layers}"})


@pytest.mark.peer
def test_siblings_that_begin_like_a_layer_are_kept_where_kit_loses_them(
    kit: Kit,
    kitline: Kitline,
    tmp_path: Path,
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    files = {"data/a": "1", "data-v2/b": "2", "data.txt": "3", "other": "4"}
    folder = make(tmp_path / "tree", files, [".", "data"])

    kit.pack(folder, "kits:v1")
    kit.run("unpack", "kits:v1", "-d", tmp_path / "by-kit")
    kitline.run("pack", folder, "-t", "ours:v1")
    kitline.run("unpack", "ours:v1", "-d", tmp_path / "by-kitline")

    assert read_files(tmp_path / "by-kit").keys() == {"data/a", "other"}
    assert read_files(tmp_path / "by-kitline").keys() == files.keys()


@pytest.mark.peer
def test_two_dots_in_a_name_are_refused_where_kit_drops_the_file(
    kit: Kit, kitline: Kitline, tmp_path: Path, read_files: Callable[[Path], dict[str, bytes]]
) -> None:
    folder = make(tmp_path / "tree", {"m/w..v1.bin": "1", "m/x": "2"}, ["m"])

    kit.pack(folder, "kits:v1")
    kit.run("unpack", "kits:v1", "-d", tmp_path / "by-kit")
    refused = kitline.run("pack", folder, "-t", "ours:v1", check=False)

    assert read_files(tmp_path / "by-kit").keys() == {"m/x"}
    assert refused.returncode == 1
    assert "w..v1.bin" in refused.stderr


@pytest.mark.peer
@pytest.mark.parametrize("name", ["x@y", "a.b:x"])
def test_a_layer_path_that_reads_like_a_reference_is_refused(
    name: str, kitline: Kitline, tmp_path: Path
) -> None:
    folder = make(tmp_path / "tree", {f"{name}/f": "1"}, [name])

    refused = kitline.run("pack", folder, "-t", "ours:v1", check=False)

    assert refused.returncode == 1
    assert name in refused.stderr


@pytest.mark.peer
def test_a_link_inside_the_tree_is_followed_where_kit_drops_it(
    kit: Kit, kitline: Kitline, tmp_path: Path, read_files: Callable[[Path], dict[str, bytes]]
) -> None:
    folder = make(tmp_path / "tree", {"m/real": "1"}, ["m"])
    (folder / "m/link").symlink_to("real")

    kits = kit.manifest(kit.pack(folder, "kits:v1"))
    skipping = kitline.digest("pack", folder, "-t", "skipped:v1", "--symlinks", "skip")
    kitline.run("pack", folder, "-t", "ours:v1")
    kitline.run("unpack", "ours:v1", "-d", tmp_path / "out")

    assert kitline.manifest("skipped", skipping)["layers"] == kits["layers"]
    assert read_files(tmp_path / "out") == {"m/link": b"1", "m/real": b"1"}


@pytest.mark.peer
def test_a_link_out_of_the_tree_is_refused(kitline: Kitline, tmp_path: Path) -> None:
    folder = make(tmp_path / "tree", {"m/real": "1"}, ["m"])
    (folder / "m/link").symlink_to("/etc/hostname")

    refused = kitline.run("pack", folder, "-t", "ours:v1", check=False)

    assert refused.returncode == 1
    assert "m/link" in refused.stderr


@pytest.mark.peer
def test_modes_are_those_of_a_checkout_where_kit_takes_them_from_disk(
    kit: Kit, kitline: Kitline, tmp_path: Path
) -> None:
    folder = make(tmp_path / "tree", {"m/a": "1", "m/run": "2"}, ["m"])
    plain = kitline.digest("pack", folder, "-t", "plain:v1")
    (folder / "m/a").chmod(0o600)
    (folder / "m").chmod(0o700)

    kits = kit.manifest(kit.pack(folder, "kits:v1"))
    normal = kitline.digest("pack", folder, "-t", "normal:v1")
    keeping = kitline.digest("pack", folder, "-t", "kept:v1", "--keep-modes")

    assert normal == plain
    assert kitline.manifest("kept", keeping)["layers"] == kits["layers"]


def test_the_same_tree_has_one_digest_under_every_circumstance(
    kitline: Kitline, tree: Path, tmp_path: Path
) -> None:
    digest = kitline.digest("pack", tree, "-t", "first:v1")

    copy = tmp_path / "elsewhere" / "copied"
    for source in sorted(tree.rglob("*"), reverse=True):  # another order of creation
        target = copy / source.relative_to(tree)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            os.utime(target, (1, 1))
            target.chmod(0o600)
    (copy / "src").chmod(0o700)
    if os.geteuid() == 0:
        os.chown(copy / "README.md", 12345, 12345)
    elsewhere = Kitline(
        home=tmp_path / "kitline-home", settings={"LC_ALL": "C", "LANG": "C", "TZ": "Asia/Tokyo"}
    )
    again = elsewhere.pinned
    before = os.umask(0o077)
    try:
        other = again("pack", copy, "-t", "second:v1")
        inside = kitline.run("pack", ".", "-t", "third:v1", cwd=copy).stdout.splitlines()[-1]
    finally:
        os.umask(before)

    assert other.rpartition("@")[2] == digest
    assert inside.rpartition("@")[2] == digest


def test_the_kit_program_is_the_version_that_the_golden_kits_were_made_with(kit: Kit) -> None:
    assert need_program("kit")
    assert "Version: 1.15.0" in kit.run("version").stdout
