"""`kitline import dvc:…` as people type it: answers, exit codes, and what a failure leaves."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

import pytest
from kitline.testing.command_line import CommandLine

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import DvcRepository


@pytest.fixture(name="run")
def _run() -> CommandLine:
    from kitline.cli.main import main

    return CommandLine(main)


def test_importing_again_answers_the_same_and_reads_no_data(
    repository: DvcRepository, run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root)
    first = run("import", "dvc:data/labels.csv@v1", "-t", "labels:v1").pinned
    cached = repository.cached(md5(repository.single, usedforsecurity=False).hexdigest())
    cached.chmod(0o644)
    cached.write_bytes(b"x" * len(repository.single))
    assert run("import", "dvc:data/labels.csv@v1", "-t", "labels:v1").pinned == first
    outcome = run("import", "dvc:data/labels.csv@v1", "-t", "other:v1", "--rehash")
    assert outcome.code == 1
    assert "'data/labels.csv' is damaged" in outcome.error


@pytest.mark.parametrize(
    "source",
    [
        "dvc:data/train@v9",
        "dvc:data/none@v1",
        "dvc:../outside@v1",
        "dvc:data/labels.csv@v1",  # its cache file is damaged
        "dvc:data/train@v1",  # its listing is missing
    ],
)
def test_a_failure_exits_with_1_and_leaves_no_kit(
    repository: DvcRepository,
    run: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: str,
) -> None:
    import shutil

    shutil.rmtree(repository.remote)
    for each in (repository.root / ".dvc/cache/files/md5").glob("*/*.dir"):
        each.unlink()
    cached = repository.cached(md5(repository.single, usedforsecurity=False).hexdigest())
    cached.chmod(0o644)
    cached.write_bytes(b"x" * len(repository.single))
    monkeypatch.chdir(repository.root)
    outcome = run("import", source, "-t", "data:v1")
    assert outcome.code == 1
    assert outcome.error
    assert run("list").stdout == ""
    assert list((tmp_path / "kitline-home").rglob("blobs/sha256/*")) == []


def test_the_statement_tells_the_commit(
    repository: DvcRepository, run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kitline

    monkeypatch.chdir(repository.root)
    pinned = run("import", "dvc:data/train@v1", "-t", "train:v1").pinned
    (statement,) = kitline.read_statements(pinned)
    dependencies = statement.predicate["buildDefinition"]["resolvedDependencies"]
    assert dependencies[0]["digest"] == {"gitCommit": repository.git("rev-parse", "v1")}
