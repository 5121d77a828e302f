"""A stage of dvc.yaml pulls a kit by digest, and DVC's run cache remembers it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import pytest
import yaml
from kitline.cli.main import main
from kitline.errors import TagNotFound, TargetError, UsageError
from kitline.testing.command_line import CommandLine
from kitline.testing.trees import write_tree
from kitline_dvc.stage import add_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.testing import LocalRegistry

    from conftest import DvcRepository

run = CommandLine(main)

DVC_YAML = """\
# our pipeline
stages:
    train:   # slow
        cmd: "python train.py --note 'a line of more than eighty characters stays as it is'"
        deps:
            - train.py
        outs:
            - model.bin
"""
PARAMS = """\
# knobs
train: {depth: 3}  # inline
other:
  - 1   # one
  - 2
"""


@pytest.fixture
def empty(
    new_repository: Callable[..., DvcRepository], monkeypatch: pytest.MonkeyPatch
) -> DvcRepository:
    """A repository without data, and `kitline` where a shell finds it."""
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    made = new_repository()
    monkeypatch.chdir(made.root)
    return made


def pack(folder: Path, content: str, to: str) -> str:
    files = {
        "Kitfile": "manifestVersion: 1.0.0\ndatasets: [{name: train, path: data/train}]\n",
        "data/train/a.csv": content,
    }
    return str(kitline.pack(write_tree(folder, files), to))


def dvc(*words: str) -> None:
    """Run a command of DVC in this process; starting one costs a second."""
    from dvc.cli import main as dvc_main

    assert dvc_main([*words, "-q"]) == 0


def blobs(registry: LocalRegistry) -> int:
    """Count the downloads so far."""
    return len([each for each in registry.requests if "/blobs/sha256" in each.path])


@pytest.mark.slow  # processes of kitline, which DVC starts
def test_repro_pulls_once_and_an_old_digest_comes_from_the_run_cache(
    tmp_path: Path, empty: DvcRepository, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/data"
    first = pack(tmp_path / "one", "1\n", f"{name}:v1")
    second = pack(tmp_path / "two", "2\n", f"{name}:v2")
    data = empty.root / "data/kit/data/train/a.csv"
    pulls = []

    def repro(reference: str) -> str:
        assert run("dvc", "stage", reference, "--out", "data/kit").pinned == reference
        before = blobs(local_registry)
        dvc("repro")
        pulls.append(blobs(local_registry) - before)
        return data.read_text()

    assert [repro(first), repro(first), repro(second), repro(first)] == ["1\n", "1\n", "2\n", "1\n"]
    assert pulls[0] > 0
    assert pulls[1] == 0, "a second time nothing"
    assert pulls[2] > 0
    assert pulls[3] == 0, "the old digest comes from the run cache"
    lock = yaml.safe_load((empty.root / "dvc.lock").read_text())["stages"]["kit"]
    assert lock["params"] == {"params.yaml": {"kit.digest": first.partition("@")[2]}}


def test_the_stage_reads_as_a_person_would_write_it(tmp_path: Path, empty: DvcRepository) -> None:
    reference = pack(tmp_path / "kit", "1\n", "team/data:v1")
    run("dvc", "stage", "team/data:v1", "--out", "data/kit")
    assert (empty.root / "dvc.yaml").read_text() == (
        "stages:\n"
        "  kit:\n"
        "    cmd: kitline unpack team/data@${kit.digest} -d data/kit\n"
        "    params:\n"
        "    - kit.digest\n"
        "    outs:\n"
        "    - data/kit\n"
        "    meta:\n"
        "      kitline:\n"
        "        repository: team/data\n"
    )
    digest = reference.partition("@")[2]
    assert (empty.root / "params.yaml").read_text() == f"kit:\n  digest: {digest}\n"


def test_the_rest_of_both_files_stays_with_its_comments(
    tmp_path: Path, empty: DvcRepository
) -> None:
    (empty.root / "dvc.yaml").write_text(DVC_YAML)
    (empty.root / "params.yaml").write_text(PARAMS)
    pack(tmp_path / "kit", "1\n", "data:v1")
    result = run("dvc", "stage", "data:v1", "--out", "data/kit")
    assert result.code == 0, result.stderr
    assert (empty.root / "dvc.yaml").read_text().startswith(DVC_YAML)
    assert (empty.root / "params.yaml").read_text().startswith(PARAMS)
    dvc("stage", "list")


def test_comments_stay_when_the_digest_changes_and_others_stand_between(
    tmp_path: Path, empty: DvcRepository
) -> None:
    pack(tmp_path / "one", "1\n", "data:v1")
    second = pack(tmp_path / "two", "2\n", "data:v2").partition("@")[2]
    digest = str(kitline.inspect("data:v1").digest)
    text = f"kit:\n  # pinned\n  digest: '{digest}' # by hand\n\n# knobs\ndepth: 3\n"
    (empty.root / "params.yaml").write_text(text)
    stages = "stages:\n  a:\n    cmd: a\n\n# plots come last\nplots: []\n"
    (empty.root / "dvc.yaml").write_text(stages)
    add_stage("data:v2", out="data/kit")
    assert (empty.root / "params.yaml").read_text() == text.replace(digest, second)
    found = (empty.root / "dvc.yaml").read_text()
    assert found.startswith("stages:\n  a:\n    cmd: a\n  kit:\n    cmd: kitline")
    assert found.endswith("        repository: data\n\n# plots come last\nplots: []\n")


def test_a_file_on_one_line_is_written_anew(tmp_path: Path, empty: DvcRepository) -> None:
    (empty.root / "params.yaml").write_text("{a: 1, kit: {depth: 3}} # short\n")
    pack(tmp_path / "kit", "1\n", "data:v1")
    add_stage("data:v1", out="data/kit")
    digest = str(kitline.inspect("data:v1").digest)
    text = (empty.root / "params.yaml").read_text()
    assert text == f"{{a: 1, kit: {{depth: 3, digest: {digest}}}}} # short\n"


def test_the_same_stage_again_writes_nothing(tmp_path: Path, empty: DvcRepository) -> None:
    pack(tmp_path / "kit", "1\n", "data:v1")
    add_stage("data:v1", out="data/kit")
    times = [(empty.root / each).stat().st_mtime_ns for each in ("dvc.yaml", "params.yaml")]
    again = add_stage("data:v1", out="data/kit")
    assert again.files == ()
    assert times == [(empty.root / each).stat().st_mtime_ns for each in ("dvc.yaml", "params.yaml")]


def test_another_kit_changes_the_digest_alone(tmp_path: Path, empty: DvcRepository) -> None:
    first = pack(tmp_path / "one", "1\n", "data:v1")
    pack(tmp_path / "two", "2\n", "data:v2")
    add_stage("data:v1", out="data/kit")
    before = (empty.root / "dvc.yaml").read_bytes()
    result = add_stage("data:v2", out="data/kit")
    assert result.files == ("params.yaml",)
    assert result.previous == first.partition("@")[2]
    assert (empty.root / "dvc.yaml").read_bytes() == before


def test_json_tells_reference_files_and_what_was_there_before(
    tmp_path: Path, empty: DvcRepository
) -> None:
    reference = pack(tmp_path / "kit", "1\n", "data:v1")
    assert run("dvc", "stage", "data:v1", "--out", "data/kit", "--json").json == {
        "reference": reference,
        "digest": reference.partition("@")[2],
        "stage": "kit",
        "out": "data/kit",
        "files": ["dvc.yaml", "params.yaml"],
        "previous": None,
        "warnings": [
            "'data' lies in the local store, where others cannot pull it;"
            " push it and name the registry to share the stage"
        ],
    }


def test_names_with_spaces_and_templates_are_quoted(tmp_path: Path, empty: DvcRepository) -> None:
    pack(tmp_path / "kit", "1\n", "data:v1")
    add_stage("data:v1", out="my data/${kit", name="my-kit", filters=["datasets:train"])
    dvc("repro")
    assert (empty.root / "my data/${kit/data/train/a.csv").read_text() == "1\n"


def test_another_parameter_file_works(tmp_path: Path, empty: DvcRepository) -> None:
    pack(tmp_path / "kit", "1\n", "data:v1")
    add_stage("data:v1", out="data/kit", params="kits.yaml")
    dvc("repro")
    assert not (empty.root / "params.yaml").exists()
    assert (empty.root / "data/kit/data/train/a.csv").read_text() == "1\n"


def test_a_stage_of_somebody_else_is_not_replaced(tmp_path: Path, empty: DvcRepository) -> None:
    (empty.root / "dvc.yaml").write_text("stages: {kit: {cmd: echo, outs: [x]}}\n")
    pack(tmp_path / "kit", "1\n", "data:v1")
    result = run("dvc", "stage", "data:v1", "--out", "data/kit")
    assert result.code == 1
    assert result.error.endswith(
        "dvc.yaml' has a stage 'kit' that does something else;"
        " choose another --name, or replace it with --force"
    )
    assert not (empty.root / "params.yaml").exists()
    assert run("dvc", "stage", "data:v1", "--out", "data/kit", "--force").code == 0


@pytest.mark.parametrize("there", ["kit: 5\n", "kit: {digest: latest}\n", "- a list\n", "a: [\n"])
def test_a_parameter_of_somebody_else_is_not_replaced(
    tmp_path: Path, empty: DvcRepository, there: str
) -> None:
    (empty.root / "params.yaml").write_text(there)
    pack(tmp_path / "kit", "1\n", "data:v1")
    with pytest.raises(TargetError, match=r"params\.yaml"):
        add_stage("data:v1", out="data/kit")
    assert (empty.root / "params.yaml").read_text() == there
    assert not (empty.root / "dvc.yaml").exists()


def test_what_dvc_refuses_leaves_both_files_as_they_were(
    tmp_path: Path, empty: DvcRepository
) -> None:
    empty.write("data/kit", {"a.csv": b"1\n"})
    empty.add("data/kit")
    pack(tmp_path / "kit", "1\n", "data:v1")
    with pytest.raises(TargetError, match="DVC could not add the stage: "):
        add_stage("data:v1", out="data/kit/inner")
    assert not (empty.root / "dvc.yaml").exists()
    assert not (empty.root / "params.yaml").exists()


def test_an_unknown_kit_and_a_layout_are_refused(tmp_path: Path, empty: DvcRepository) -> None:
    pack(tmp_path / "kit", "1\n", "data:v1")
    kitline.copy("data:v1", f"oci:{tmp_path}/layout:v1")
    with pytest.raises(TagNotFound, match="no tag 'v2'"):
        add_stage("data:v2", out="data/kit")
    with pytest.raises(UsageError, match="a stage pulls from a registry or the local store"):
        add_stage(f"oci:{tmp_path}/layout:v1", out="data/kit")
    assert not (empty.root / "dvc.yaml").exists()


@pytest.mark.parametrize("out", ["../x", "/etc/x", ".git/x", "."])
def test_the_output_stays_in_the_repository(tmp_path: Path, empty: DvcRepository, out: str) -> None:
    pack(tmp_path / "kit", "1\n", "data:v1")
    with pytest.raises(TargetError, match="cannot put data at"):
        add_stage("data:v1", out=out)
    assert not (empty.root / "dvc.yaml").exists()


def test_every_verb_has_an_example_in_its_help() -> None:
    for verb in ("stage", "status"):
        assert f"Example: kitline dvc {verb}" in run("dvc", verb, "--help").stdout
