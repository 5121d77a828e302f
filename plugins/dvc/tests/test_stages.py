"""Whole stages, artifacts and their GTO tags, params, metrics and the pipeline itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import DvcRepository, Importing

PIPELINE = """\
stages:
  train:
    cmd: mkdir -p out && echo w > out/model.bin && echo t > out/table.csv && echo '{"acc":0.5}' > m.json && echo 'x,y' > plot.csv
    params: [lr, net.depth]
    outs:
    - out/model.bin
    - out/table.csv
    metrics:
    - m.json: {cache: false}
    plots:
    - plot.csv
artifacts:
  iris:
    path: out/model.bin
    type: model
    desc: the model
"""  # noqa: E501  one command line


@pytest.fixture(scope="module", name="pipeline_template")
def _pipeline_template(tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    import os
    from pathlib import Path

    from dvc.repo import Repo

    make_repository: Any = sys.modules[__name__.rpartition(".")[0] + ".conftest"].make_repository
    folder = tmp_path_factory.mktemp("pipeline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
        made: DvcRepository = make_repository(folder)
        made.write("dvc.yaml", PIPELINE.encode())
        made.write("params.yaml", b"lr: 0.1\nnet: {depth: 3, unused: 1}\nother: 2\n")
        patch.chdir(made.root)
        with Repo(str(made.root)) as repo:
            repo.reproduce()
        made.commit("trained", "v1")
        assert Path(os.curdir).resolve() == made.root
    return made


@pytest.fixture(name="pipeline")
def _pipeline(pipeline_template: DvcRepository) -> DvcRepository:
    return pipeline_template


def test_a_stage_becomes_model_datasets_and_docs_with_its_params_and_metrics(
    pipeline: DvcRepository, importing: Importing
) -> None:
    found = importing.collect("dvc:dvc.yaml:train@v1", repo=str(pipeline.root))
    kitfile = found.tree.kitfile
    assert kitfile.model is not None
    assert kitfile.model.path == "out/model.bin"
    assert [each.path for each in kitfile.datasets] == ["out/table.csv"]
    assert [each.path for each in kitfile.docs] == ["plot.csv"]
    assert kitfile.model.parameters["params"] == {"params.yaml": {"lr": 0.1, "net.depth": 3}}
    assert kitfile.model.parameters["metrics"] == {"m.json": {"acc": 0.5}}
    assert kitfile.model.parameters["dvc"]["path"] == "out/model.bin"
    assert importing.digest("dvc:dvc.yaml:train@v1", repo=str(pipeline.root))


def test_one_output_of_a_stage_is_a_path_like_any_other(
    pipeline: DvcRepository, importing: Importing
) -> None:
    kitfile = importing.collect("dvc:out/table.csv@v1", repo=str(pipeline.root)).tree.kitfile
    (dataset,) = kitfile.datasets
    assert set(dataset.parameters) == {"dvc"}


def test_params_and_metrics_of_the_repository_when_asked(
    pipeline: DvcRepository, importing: Importing
) -> None:
    place = str(pipeline.root)
    found = importing.collect("dvc:out/table.csv@v1", repo=place, parameters="true")
    (dataset,) = found.tree.kitfile.datasets
    assert dataset.parameters["metrics"] == {"m.json": {"acc": 0.5}}
    told = dataset.parameters["params"]["params.yaml"]
    assert (told["lr"], told["other"]) == (0.1, 2)


def test_the_pipeline_comes_along_as_code_when_asked(
    pipeline: DvcRepository, importing: Importing
) -> None:
    place = str(pipeline.root)
    found = importing.collect("dvc:dvc.yaml:train@v1", repo=place, pipeline="true")
    assert [each.path for each in found.tree.kitfile.code] == ["dvc.yaml", "dvc.lock"]
    read = importing.read("dvc:dvc.yaml:train@v1", repo=place, pipeline="true")
    assert read["dvc.yaml"] == PIPELINE.encode()


def test_no_pipeline_to_bring_along(repository: DvcRepository, importing: Importing) -> None:
    with pytest.raises(SourceError, match=r"'pipeline' asks for dvc\.yaml and dvc\.lock"):
        importing.collect("dvc:data/train@v1", repo=str(repository.root), pipeline="true")


def test_an_unknown_stage_names_those_that_are_there(
    pipeline: DvcRepository, importing: Importing
) -> None:
    with pytest.raises(SourceError, match=r"'dvc\.yaml' has no stage 'none' .* it has train"):
        importing.collect("dvc:dvc.yaml:none@v1", repo=str(pipeline.root))


def test_an_artifact_by_version_and_by_stage(pipeline: DvcRepository, importing: Importing) -> None:
    gto = [sys.executable, "-c", "from gto.cli import app; app()"]
    for command in (
        ["register", "iris", "v1", "--version", "v1.0.0"],
        ["assign", "iris", "--version", "v1.0.0", "--stage", "prod"],
    ):
        done = subprocess.run(
            [*gto, *command], cwd=pipeline.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    place = str(pipeline.root)
    expected = importing.digest("dvc:out/model.bin@v1", repo=place)
    for source in ("dvc-artifact:iris@v1.0.0", "dvc-artifact:iris#prod", "dvc-artifact:iris"):
        assert importing.digest(source, repo=place) == expected
    assert importing.collect("dvc-artifact:iris", repo=place).tree.kitfile.model is not None
    for source, what in (("iris@v2.0.0", "version 'v2.0.0'"), ("iris#none", "stage 'none'")):
        with pytest.raises(SourceError, match=f"artifact 'iris' has no {what}; 'gto show'"):
            importing.collect(f"dvc-artifact:{source}", repo=place)
    with pytest.raises(
        SourceError, match="no tag of GTO names an artifact 'other'; there is 'iris'"
    ):
        importing.collect("dvc-artifact:other@v1.0.0", repo=place)


def test_an_output_that_nobody_has_made(
    make: Callable[..., DvcRepository], importing: Importing
) -> None:
    made = make("unmade")
    made.write("dvc.yaml", b"stages:\n  a:\n    cmd: touch x\n    outs: [x]\n")
    made.commit("no run")
    with pytest.raises(SourceError, match="nobody has made 'x' at commit"):
        importing.collect("dvc:x@HEAD", repo=str(made.root))


def test_metrics_that_unfold_without_end(repository: DvcRepository, importing: Importing) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 15)]
    repository.write("m.yaml", "\n".join(lines).encode())
    stage = "  s:\n    cmd: 'true'\n    outs: [data/made]\n    metrics: [m.yaml: {cache: false}]\n"
    repository.write("dvc.yaml", f"stages:\n{stage}".encode())
    locked = "{path: data/made, hash: md5, md5: d41d8cd98f00b204e9800998ecf8427e, size: 0}"
    lock = f"schema: '2.0'\nstages:\n  s:\n    cmd: 'true'\n    outs: [{locked}]\n"
    repository.write("dvc.lock", lock.encode())
    empty = repository.cached("d41d8cd98f00b204e9800998ecf8427e")
    empty.parent.mkdir(exist_ok=True)
    empty.touch()
    repository.commit("hostile")
    with pytest.raises(SourceError, match="hold more than 100000 values"):
        importing.collect("dvc:dvc.yaml:s@HEAD", repo=str(repository.root))
