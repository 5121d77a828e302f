"""Partitions and data by reference: how a large dataset is cut, and what stays where it is."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from kitline.errors import MalformedContent, SourceError
from kitline_dvc.by_reference import is_by_reference, read_file_list
from kitline_dvc.content import Content
from kitline_dvc.options import Split
from kitline_dvc.partition import partitions

if TYPE_CHECKING:
    from conftest import DvcRepository, Importing


def named(names: list[str]) -> list[Content]:
    return [Content(path=f"d/{name}", md5="0" * 32, size=1) for name in names]


def test_a_border_follows_a_name_whose_sha256_ends_in_zero_bits() -> None:
    names = [f"{n:05}" for n in range(2000)]
    found = partitions("d", named(names), Split.parse("files:64"))
    for each in found[:-1]:
        *inner, last = [file.path.removeprefix("d/") for file in each.files]
        assert sha256(last.encode()).digest()[-1] & 63 == 0
        assert all(sha256(name.encode()).digest()[-1] & 63 for name in inner)
    assert [file.path for each in found for file in each.files] == [f"d/{name}" for name in names]
    assert 20 <= len(found) <= 45


def test_files_that_are_added_move_no_other_border() -> None:
    names = [f"{n:06}" for n in range(20_000)]
    added = [f"{n:06}x" for n in range(0, 20_000, 2000)]
    split = Split.parse("files:256")
    before = {tuple(f.path for f in each.files) for each in partitions("d", named(names), split)}
    after = {
        tuple(f.path for f in each.files) for each in partitions("d", named(names + added), split)
    }
    assert len(after - before) <= 2 * len(added)
    assert len(before - after) <= len(added)


@pytest.mark.slow  # the one before it has 20,000
def test_ten_of_a_hundred_thousand_files_touch_ten_partitions() -> None:
    names = [f"{n:06}.jpg" for n in range(100_000)]
    added = [f"{n:06}b.jpg" for n in range(5_000, 100_000, 10_000)]
    split = Split.parse("files:1024")
    before = {tuple(f.path for f in each.files) for each in partitions("d", named(names), split)}
    after = {
        tuple(f.path for f in each.files) for each in partitions("d", named(names + added), split)
    }
    assert len(added) == 10
    assert len(after - before) <= 10
    assert len(before) > 60


def test_a_split_by_directory_makes_one_layer_each(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write(
        "data/many", {f"d{n}/f{m}": b"%d %d" % (n, m) for n in range(5) for m in (1, 2)}
    )
    repository.write("data/many/loose", b"loose")
    repository.add("data/many")
    repository.commit("many")
    place = str(repository.root)
    first = importing.pack("dvc:data/many", repo=place, split="directory")
    paths = [each.path for each in first.kitfile.datasets]
    assert paths == ["data/many", *(f"data/many/d{n}" for n in range(5))]
    told = {json.dumps(each.parameters, sort_keys=True) for each in first.kitfile.datasets}
    assert len(told) == 1
    assert '"split": "directory"' in told.pop()
    repository.write("data/many/d3/f1", b"changed")
    repository.add("data/many")
    repository.commit("changed")
    second = importing.pack("dvc:data/many", repo=place, split="directory")
    before = {str(each.descriptor.digest) for each in first.layers}
    after = {str(each.descriptor.digest) for each in second.layers}
    assert len(after - before) == 1


def test_a_split_by_files_shares_one_path(repository: DvcRepository, importing: Importing) -> None:
    files = {f"{n:04}": b"%d" % n for n in range(64)}
    repository.write("data/flat", files)
    repository.add("data/flat")
    repository.commit("flat")
    place = str(repository.root)
    packed = importing.pack("dvc:data/flat", repo=place, split="files:8")
    assert {each.path for each in packed.kitfile.datasets} == {"data/flat"}
    assert packed.kitfile.datasets[0].parameters["dvc"]["split"] == "files:8"
    assert len(packed.layers) == len(packed.kitfile.datasets) > 2
    assert len({str(each.descriptor.digest) for each in packed.layers}) == len(packed.layers)


def test_data_by_reference_is_a_list_of_files(
    repository: DvcRepository, importing: Importing
) -> None:
    place = str(repository.root)
    (found,) = importing.read("dvc:data/train@v1", repo=place, data="reference").items()
    path, raw = found
    assert path == "data/train.files.json"
    listed = read_file_list(raw)
    assert listed.path == "data/train"
    assert {each.path: each.size for each in listed.files} == {
        name: len(data) for name, data in repository.train.items()
    }
    collected = importing.collect("dvc:data/train@v1", repo=place, data="reference")
    (dataset,) = collected.tree.kitfile.datasets
    assert is_by_reference(dataset)
    assert dataset.parameters["dvc"]["md5"] == listed.md5
    (statement,) = collected.statements
    assert str(repository.remote) in json.dumps(dict(statement.predicate))


def test_data_by_reference_has_one_digest_with_and_without_a_cache(
    repository: DvcRepository, importing: Importing
) -> None:
    place = str(repository.root)
    expected = importing.digest("dvc:data/labels.csv@v1", repo=place, data="reference")
    repository.drop_cache()
    assert importing.digest("dvc:data/labels.csv@v1", repo=place, data="reference") == expected


def test_data_by_reference_has_to_be_in_a_remote(
    repository: DvcRepository, importing: Importing
) -> None:
    shutil.rmtree(repository.remote)
    with pytest.raises(SourceError, match="the remote 'r' lacks 4 of 4 objects"):
        importing.collect("dvc:data/train@v1", repo=str(repository.root), data="reference")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "not of the format"),
        ({"path": "../x"}, "is no relative path"),
        ({"md5": "x"}, "is no md5"),
        ({"files": {}}, "files is not a list"),
        ({"files": [{"path": "../a", "size": 1, "md5": "0" * 32}]}, "a path leaves the folder"),
        ({"files": [{"path": "a", "size": -1, "md5": "0" * 32}]}, "is no count of bytes"),
        ({"files": [{"path": "a", "size": 1, "md5": "0"}]}, r"files\[0\]\.md5"),
        ({"files": [{"path": "a", "size": 1, "md5": "0" * 32}] * 2}, "a path comes twice"),
        ({"md5": "0" * 32}, "a single file is listed"),
    ],
)
def test_a_list_that_cannot_be_trusted(change: dict[str, object], reason: str) -> None:
    value = {
        "format": "io.kitline.dvc.files/1",
        "path": "data",
        "md5": f"{'0' * 32}.dir",
        "files": [{"path": "a", "size": 1, "md5": "0" * 32}],
    }
    read_file_list(json.dumps(value).encode())
    with pytest.raises(MalformedContent, match=reason):
        read_file_list(json.dumps({**value, **change}).encode())
