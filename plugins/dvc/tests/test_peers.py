"""The real kit beside kitline: the same bytes as from a checkout, and kits in partitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import kitline
import pytest
from harness.programs import Kit, need_program
from kitline.testing.trees import read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing.processes import RunningRegistry

    from conftest import DvcRepository

pytestmark = [pytest.mark.peer, pytest.mark.registry]

FILES = {f"{n % 4}/{n:03}.txt": b"%d" % n for n in range(64)}


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The real kit with an empty store."""
    (tmp_path / "kit-home").mkdir()
    return Kit(program=need_program("kit"), home=tmp_path / "kit-home")


@pytest.mark.parametrize("path", ["data/train", "data/labels.csv"])
def test_the_layer_is_the_one_that_kit_packs_of_a_checkout(
    repository: DvcRepository, kit: Kit, tmp_path: Path, path: str
) -> None:
    from dvc.repo import Repo

    checkout = tmp_path / "checkout"
    repository.git("clone", "-q", "-b", "v1", str(repository.root), str(checkout))
    (checkout / ".dvc/config.local").write_text(
        f"[cache]\n    dir = {repository.root}/.dvc/cache\n    type = copy\n"
    )
    with Repo(str(checkout)) as repo:
        repo.checkout()
    (checkout / "Kitfile").write_text(f"manifestVersion: 1.0.0\ndatasets: [{{path: {path}}}]\n")

    (theirs,) = kit.manifest(kit.pack(checkout, "train:v1"))["layers"]
    reference = kitline.import_(
        f"dvc:{path}@v1", "team/train:v1", options={"repo": str(repository.root)}
    ).reference
    (ours,) = kitline.inspect(reference).kit.manifest.layers

    assert (str(ours.digest), ours.size) == (theirs["digest"], theirs["size"])


@pytest.mark.parametrize(
    ("split", "name", "chosen"),
    [
        ("directory", "many/2", lambda path: path.startswith("2/")),
        ("files:8", "many/0002", None),
    ],
)
def test_kit_pulls_unpacks_lists_and_filters_a_partitioned_kit(
    repository: DvcRepository,
    distribution_3: RunningRegistry,
    kit: Kit,
    tmp_path: Path,
    split: str,
    name: str,
    chosen: object,
) -> None:
    repository.write("many", FILES)
    repository.add("many")
    repository.commit("many")
    where = f"{distribution_3.host}/dvc/{split.replace(':', '-')}:v1"
    options = {"repo": str(repository.root), "split": split}
    kitline.import_("dvc:many@HEAD", where, options=options)
    datasets = kitline.inspect(where).kit.kitfile.datasets

    kit.run("unpack", where, "-d", tmp_path / "remote", "--plain-http")
    kit.run("unpack", where, "-d", tmp_path / "some", "--filter", f"datasets:{name}",
            "--plain-http")  # fmt: skip
    kit.run("pull", where, "--plain-http")
    kit.run("unpack", where, "-d", tmp_path / "local")
    inspected = json.loads(kit.run("inspect", where).stdout)

    assert read_tree(tmp_path / "remote/many") == read_tree(repository.root / "many")
    assert read_tree(tmp_path / "local/many") == read_tree(repository.root / "many")
    some = {path for path, content in read_tree(tmp_path / "some/many").items() if content}
    whole = set(FILES)
    assert some
    assert some < whole
    if callable(chosen):
        assert some == {path for path in whole if chosen(path)}
    assert [(each["name"], each["path"]) for each in inspected["kitfile"]["datasets"]] == [
        (each.name, each.path) for each in datasets
    ]
    assert "dvc/" in kit.run("list").stdout
