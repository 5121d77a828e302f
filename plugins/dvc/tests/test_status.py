"""`kitline dvc status` believes a digest only while the data is the one that it was noted for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import kitline
import pytest
import yaml
from kitline.cli.main import main
from kitline.testing.command_line import CommandLine
from kitline.testing.trees import write_tree
from kitline_dvc.note import Note
from kitline_dvc.stage import add_stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import DvcRepository

run = CommandLine(main)


@pytest.fixture
def exported(
    new_repository: Callable[..., DvcRepository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DvcRepository:
    """A repository with one exported dataset, in which we stand."""
    made = new_repository()
    monkeypatch.chdir(made.root)
    files = {
        "Kitfile": "manifestVersion: 1.0.0\ndatasets: [{name: train, path: data/train}]\n",
        "data/train/a.csv": "1\n",
    }
    kitline.pack(write_tree(tmp_path / "kit", files), "data:v1")
    kitline.export("data:v1", "dvc")
    made.commit("exported")
    return made


def state(path: str = "data/train") -> str:
    rows = {each["path"]: each for each in run("dvc", "status", "--json").json["paths"]}
    return str(rows[path]["state"])


def test_after_an_export_the_digest_holds(exported: DvcRepository) -> None:
    result = run("dvc", "status")
    reference = str(kitline.inspect("data:v1").reference)
    assert result.code == 0
    assert result.stdout == (f"PATH        STATE    KIT\ndata/train  current  {reference}\n")
    assert result.stderr == ""


def test_a_change_that_dvc_add_recorded_makes_the_digest_stale(exported: DvcRepository) -> None:
    exported.write("data/train/a.csv", b"2\n")
    exported.add("data/train")
    kept = yaml.safe_load((exported.root / "data/train.dvc").read_text())["meta"]["kitline"]
    assert kept["digest"] == str(kitline.inspect("data:v1").digest), "DVC keeps meta"
    result = run("dvc", "status")
    assert result.code == 0
    assert "data/train  stale  data@sha256:" in result.stdout
    assert result.stderr == ("stale: the data changed since: the digest does not hold any more\n")
    row = run("dvc", "status", "--json").json["paths"][0]
    assert (row["state"], row["holds"]) == ("stale", False)


def test_the_old_data_makes_it_hold_again(exported: DvcRepository) -> None:
    exported.write("data/train/a.csv", b"2\n")
    exported.add("data/train")
    exported.write("data/train/a.csv", b"1\n")
    exported.add("data/train")
    assert state() == "current"


def test_a_change_that_nobody_added_is_told_apart(exported: DvcRepository) -> None:
    exported.write("data/train/a.csv", b"2\n")
    assert state() == "modified"


def test_data_that_is_not_checked_out_still_holds(exported: DvcRepository) -> None:
    (exported.root / "data/train/a.csv").unlink()
    (exported.root / "data/train").rmdir()
    assert state() == "missing"
    assert run("dvc", "status", "--json").json["paths"][0]["holds"]


def test_a_stage_is_not_run_then_current_then_not_run_again(
    exported: DvcRepository, tmp_path: Path
) -> None:
    add_stage("data:v1", out="kit")
    assert state("kit") == "not run"
    lock = exported.root / "dvc.lock"
    digest = str(kitline.inspect("data:v1").digest)
    kitline.unpack("data:v1", exported.root / "kit")
    from dvc.cli import main as dvc_main

    assert dvc_main(["commit", "-f", "-q", "kit"]) == 0
    assert digest in lock.read_text()
    assert state("kit") == "current"
    params = exported.root / "params.yaml"
    params.write_text(params.read_text().replace(digest, "sha256:" + "0" * 64))
    assert state("kit") == "not run"


def test_a_repository_without_kits_says_so(
    new_repository: Callable[..., DvcRepository],
) -> None:
    made = new_repository()
    result = run("dvc", "status", "--repo", made.root)
    assert (result.code, result.stdout) == (0, "")
    assert result.stderr == "no data of this repository came from a kit\n"
    assert run("dvc", "status", "--json", "--repo", made.root).json == {"paths": []}


def test_without_a_dvc_repository_it_is_a_clear_error(tmp_path: Path) -> None:
    result = run("dvc", "status", "--repo", tmp_path)
    assert result.code == 1
    assert "no DVC repository holds the folder" in result.error


@pytest.mark.parametrize(
    "meta",
    [
        None,
        "text",
        {"kitline": "text"},
        {"kitline": {"digest": "sha256:nothing", "reference": "a", "dvc_md5": "b"}},
        {"kitline": {"digest": "sha256:" + "0" * 64, "reference": "a\x1b[2J", "dvc_md5": "b"}},
        {"kitline": {"digest": 5, "reference": [], "dvc_md5": {}}},
    ],
)
def test_a_broken_note_counts_as_none(meta: object) -> None:
    assert Note.find(meta) is None


@pytest.mark.slow  # a process of DVC
def test_with_kitline_uninstalled_dvc_works_as_before(exported: DvcRepository) -> None:
    (exported.root / "data/train/a.csv").unlink()
    program = (
        "import sys\n"
        "for name in ('kitline', 'kitline_dvc', 'kitline_mlflow'): sys.modules[name] = None\n"
        "from dvc.cli import main\n"
        "codes = [main(['checkout']), main(['status']), main(['data', 'status'])]\n"
        "sys.exit(max(codes))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=exported.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Data and pipelines are up to date." in done.stdout
    assert (exported.root / "data/train/a.csv").read_text() == "1\n"
