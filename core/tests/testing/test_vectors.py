from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from kitline.testing.trees import read_tree
from kitline.testing.vectors import find_vectors, vector_cases

_REPOSITORY = Path(__file__).parents[3]


def write_vector(folder: Path) -> None:
    """A vector as its README describes it, with every kind of entry."""
    entries = [
        {"path": "a/b.txt", "text": "é"},
        {"path": "bin", "base64": "AAE=", "mode": "0755", "mtime": 1},
        {"path": "big", "fill": {"pattern": "abc", "size": 7}},
        {"path": "empty", "type": "dir", "mode": "0700"},
        {"path": "link", "type": "symlink", "target": "bin"},
    ]
    folder.mkdir(parents=True)
    (folder / "tree.json").write_text(json.dumps({"entries": entries, "pack_args": ["-x"]}))
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\n")
    (folder / "expected.json").write_text('{"config_size": 3}')
    (folder / "config.json").write_text("{}")
    (folder / "manifest.json").write_text('{"annotations": {"k": "v"}}')


def test_a_vector_is_read_and_written_as_a_tree(tmp_path: Path) -> None:
    write_vector(tmp_path / "vectors" / "one")
    (case,) = vector_cases(tmp_path / "vectors")
    root = case.write(tmp_path / "root")
    assert read_tree(root) == {
        "Kitfile": b"manifestVersion: 1.0.0\n",
        "a": None,
        "a/b.txt": "é".encode(),
        "big": b"abcabca",
        "bin": b"\x00\x01",
        "empty": None,
        "link": b"link:bin",
    }
    assert (root / "bin").stat().st_mtime == 1
    assert (root / "bin").stat().st_mode & 0o777 == 0o755
    assert (root / "empty").stat().st_mode & 0o777 == 0o700
    assert (str(case), case.pack_args, case.expected["config_size"]) == ("one", ("-x",), 3)
    assert case.manifest_annotations == {"k": "v"}


def test_a_folder_that_is_named_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared" / "vectors").mkdir(parents=True)
    assert find_vectors(tmp_path / "repository") == tmp_path / "shared" / "vectors"
    monkeypatch.setenv("KITLINE_VECTORS", str(tmp_path / "none"))
    assert find_vectors(tmp_path / "repository") is None
    assert vector_cases(None) == []


@pytest.mark.parametrize("case", vector_cases(find_vectors(_REPOSITORY)), ids=str)
def test_a_golden_vector_is_whole(case: object) -> None:
    from kitline.testing.vectors import VectorCase

    assert isinstance(case, VectorCase)
    digest = "sha256:" + hashlib.sha256(case.manifest).hexdigest()
    assert digest == case.expected["manifest_digest"]
    assert len(case.config) == case.expected["config_size"]
