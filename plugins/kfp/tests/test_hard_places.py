"""Large outputs, many files, users who may do little, and the tools whose objects become kits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import kitline_kfp
import pytest
from kfp import dsl
from kfp.dsl import Dataset, Output
from kitline.testing.processes import PeerMissing, docker_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import LocalRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MIB = 1 << 20
USER = 54321
# May read everything (Python may lie in root's home), and write nothing that is not its own.
AS_USER = [
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
]  # fmt: skip

LARGE = """
import json, resource, sys
import kfp.dsl.executor_main
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from kitline_kfp import steps
pushed = steps.push(sys.argv[1], model=sys.argv[2])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"digest": pushed.digest, "KiB": after - before}))
"""


@pytest.fixture
def roomy_registry(tmp_path: Path) -> "Iterator[str]":
    """A real registry whose content goes with the test."""
    folder = tmp_path / "registry"
    folder.mkdir()
    try:
        running = docker_registry(folder)
    except PeerMissing as cause:
        pytest.skip(str(cause))
    with running as registry:
        yield registry.host
    shutil.rmtree(folder)


@pytest.mark.registry
def test_an_output_of_two_gibibytes_is_one_stream(tmp_path: Path, roomy_registry: str) -> None:
    size = 2 << 30
    with (tmp_path / "model").open("wb") as file:
        file.truncate(size)  # takes no room on disk
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", LARGE, f"{roomy_registry}/kfp/large:v1", tmp_path / "model"],
        env={**os.environ, "_KFP_RUNTIME": "true", "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["KiB"] < 150 << 10
    assert list(temporary.iterdir()) == []
    found = kitline.inspect(f"{roomy_registry}/kfp/large:v1")
    assert str(found.digest) == said["digest"]
    assert found.kit.layers[0][1].size >= size


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make_many(count: int, data: Output[Dataset]) -> None:
    import pathlib

    for number in range(count):
        folder = pathlib.Path(data.path) / f"part {number % 50} é"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(str(number))


@dsl.pipeline(name="many files")
def many_files(count: int, to: str) -> None:
    made = make_many(count=count)
    pushed = kitline_kfp.push_modelkit(to=to, dataset=made.outputs["data"])
    kitline_kfp.pull_modelkit(modelkit=pushed.outputs["reference"])


def test_a_folder_of_five_thousand_files_goes_there_and_back(
    run_locally: "Callable[..., LocalRun]", local_registry: Any
) -> None:
    run = run_locally(many_files, count=5000, to=f"{local_registry.host}/team/many:v1")

    made, pulled = run.folder / "make-many/data", run.folder / "pull-modelkit/datasets"
    content = {each.relative_to(made): each.read_text() for each in made.rglob("*.txt")}
    assert len(content) == 5000
    assert {each.relative_to(pulled): each.read_text() for each in pulled.rglob("*.txt")} == content
    assert len(run.receipt("push-modelkit")["layers"]) == 1


AS_NOBODY = """
import os, sys
import kitline_kfp
kitline_kfp.configure(base_image="python:3.11", packages=())
sys.path.insert(0, sys.argv[1])
from test_local_push import round_trip
from kfp import local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
round_trip(to=sys.argv[3])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_steps_pass_as_any_user_without_a_home(tmp_path: Path, local_registry: Any) -> None:
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, USER, USER)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "TMPDIR": str(own),
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }

    done = subprocess.run(
        [
            *AS_USER, sys.executable, "-c", AS_NOBODY, str(Path(__file__).parent),
            str(own / "runs"), f"{local_registry.host}/team/kit:v1",
        ],
        env=environment, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    [run] = (own / "runs").iterdir()
    output = json.loads((run / "push-modelkit/executor_output.json").read_text())
    digest = str(kitline.resolve(f"{local_registry.host}/team/kit:v1").digest)
    assert output["parameterValues"]["digest"] == digest
    assert (run / "push-modelkit").stat().st_uid == USER


@dsl.pipeline(name="from tools")
def from_mlflow(source: str, to: str) -> None:
    kitline_kfp.mlflow_to_modelkit(source=source, to=to)


@dsl.pipeline(name="from dvc")
def from_dvc(source: str, to: str) -> None:
    kitline_kfp.dvc_to_modelkit(source=source, to=to)


@pytest.mark.filterwarnings("ignore:.*noload:DeprecationWarning")  # MLflow's use of SQLAlchemy
def test_a_run_of_mlflow_becomes_a_kit_in_a_step(
    run_locally: "Callable[..., LocalRun]",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local_registry: Any,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    log = (
        "import mlflow, pathlib; mlflow.create_experiment('e', artifact_location='artifacts')\n"
        "with mlflow.start_run(experiment_id='1') as run:\n"
        "    mlflow.log_metric('accuracy', 0.9); mlflow.log_text('weights', 'model.txt')\n"
        "print(run.info.run_id)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", log],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    run_id = done.stdout.split()[-1]
    monkeypatch.chdir(tmp_path)

    run = run_locally(
        from_mlflow, source=f"mlflow://runs/{run_id}", to=f"{local_registry.host}/team/run:v1"
    )

    digest = run.output("mlflow-to-modelkit")["digest"]
    assert run.receipt("mlflow-to-modelkit")["digest"] == digest
    assert run.receipt("mlflow-to-modelkit")["source"] == f"mlflow://runs/{run_id}"
    direct = kitline_kfp.mlflow_to_modelkit_component().python_func(
        source=f"mlflow://runs/{run_id}", to="team/run:v1", kit=output(tmp_path)
    )
    assert direct.digest == digest


def test_data_of_dvc_becomes_a_kit_in_a_step(
    run_locally: "Callable[..., LocalRun]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
        "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "train.csv").write_text("1,2\n")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (
        ["git", "init", "-q"],
        [*dvc, "init", "-q"],
        [*dvc, "add", "-q", "train.csv"],
        ["git", "add", "."],
        ["git", "commit", "-q", "-m", "data"],
        ["git", "tag", "v1"],
    ):
        subprocess.run(command, cwd=repository, check=True, capture_output=True)

    run = run_locally(
        from_dvc, source=f"dvc+file://{repository}?path=train.csv&rev=v1", to="team/data:v1"
    )

    reference = run.output("dvc-to-modelkit")["reference"]
    assert [each.path for each in kitline.inspect(reference).kit.kitfile.datasets] == ["train.csv"]
    direct = kitline_kfp.dvc_to_modelkit_component().python_func(
        source=f"dvc+file://{repository}?path=train.csv&rev=v1",
        to="team/again:v1",
        kit=output(tmp_path),
    )
    assert direct.digest == run.output("dvc-to-modelkit")["digest"]


def output(folder: Path) -> Any:
    return dsl.Artifact(name="kit", uri=str(folder / "kit"), metadata={})
