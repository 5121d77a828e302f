"""The personal-data case: the data is revoked, and no tool uses the models made from it any more.

Every way runs in one child process, as a job on another machine would: MLflow, Kubeflow's steps,
Airflow's operators and the command line, with one policy in the environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from harness.programs import Kitline
from kitline.testing import LocalRegistry
from kitline.testing.environment import clean_environment
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "[policy.revocation]\nkeys = ['privacy.pub']\n"
WAYS = (
    *("command line pull", "command line unpack", "promote", "export to MLflow"),
    *("modelkit://", "download from modelkit://", "Kubeflow pull", "Kubeflow fetch"),
    *("Kubeflow promote", "Airflow pull", "Airflow unpack", "Airflow promote"),
)
SCRIPT = """
import json, sys, tempfile
from pathlib import Path

import kitline
from kitline.errors import KitlineError

kit, out = sys.argv[1], Path(sys.argv[2])


class Artifact:
    def __init__(self, path):
        self.path, self.metadata, self.uri, self.name = str(path), {}, str(path), "model"


def command_line(*words):
    from kitline.cli.main import main

    try:
        main(list(words))
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"exit code {stop.code}")


def modelkit(kit):
    import kitline_mlflow

    kitline_mlflow.load_modelkit(kit, path="model")


def download(kit, folder):
    import mlflow

    folder.mkdir()
    mlflow.artifacts.download_artifacts(f"modelkit://{kit}", dst_path=str(folder))
    folder.rename(folder.with_name("downloaded"))


def kubeflow_pull(kit, folder):
    from kitline_kfp.steps.pulling import pull

    pull(kit, outputs={"model": Artifact(folder)})


def kubeflow_fetch(kit, folder):
    from kitline_kfp.steps.fetching import fetch

    fetch(kit, folder)


def kubeflow_promote(kit):
    from kitline_kfp.steps.promoting import promote

    promote(kit, "champion")


def airflow(name, **words):
    import kitline_airflow

    made = getattr(kitline_airflow, name)(task_id="task", modelkit_conn_id=None, **words)
    made.do({})


ways = {
    "command line pull": lambda: command_line("pull", kit, "-q"),
    "command line unpack": lambda: command_line("unpack", kit, "-q", "-d", str(out / "a")),
    "promote": lambda: kitline.promote(kit, "production"),
    "export to MLflow": lambda: kitline.export(kit, "mlflow", options={"register": "iris"}),
    "modelkit://": lambda: modelkit(kit),
    "download from modelkit://": lambda: download(kit, out / "b"),
    "Kubeflow pull": lambda: kubeflow_pull(kit, out / "c"),
    "Kubeflow fetch": lambda: kubeflow_fetch(kit, out / "d"),
    "Kubeflow promote": lambda: kubeflow_promote(kit),
    "Airflow pull": lambda: airflow("ModelKitPullOperator", reference=kit),
    "Airflow unpack": lambda: airflow("ModelKitPullOperator", reference=kit, folder=str(out / "e")),
    "Airflow promote": lambda: airflow("ModelKitPromoteOperator", reference=kit, stage="next"),
}
answers = {}
for name, way in ways.items():
    try:
        way()
        answers[name] = "used"
    except Exception as refused:
        answers[name] = f"{type(refused).__name__}: {refused}"
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_models_of_revoked_data_are_used_by_no_tool(tmp_path: Path) -> None:
    kitline = Kitline(home=tmp_path / "home", settings={"KITLINE_KEY_PASSWORD": ""})
    (tmp_path / "policy").mkdir()
    kitline.run("keygen", tmp_path / "policy/privacy")
    policy = tmp_path / "policy/policy.toml"
    policy.write_text(POLICY)
    data = write_tree(tmp_path / "data", {"train.csv": "1,2\n"})
    base = write_tree(tmp_path / "base", {"Kitfile": KITFILE, "model/MLmodel": "flavors: {}\n"})
    tuned = write_tree(tmp_path / "tuned", {"Kitfile": KITFILE, "model/MLmodel": "flavors: {} \n"})
    with LocalRegistry() as registry:
        train = kitline.pinned("pack", data, "-t", f"{registry.host}/data/train:v1")
        first = kitline.pinned(
            "pack", base, "-t", f"{registry.host}/team/base:v1", "--parent", f"data={train}"
        )
        kit = kitline.pinned(
            "pack", tuned, "-t", f"{registry.host}/team/tuned:v1", "--parent", f"base={first}"
        )
        before = use_everywhere(kit, policy, tmp_path / "before")
        kitline.run(
            "attest", train, "--type", "revocation", "--reason", "consent withdrawn",
            "--key", tmp_path / "policy/privacy.key",
        )  # fmt: skip
        after = use_everywhere(kit, policy, tmp_path / "after")

    assert {name: before[name] for name in WAYS if before[name] != "used"} == {}
    assert set(after) == set(WAYS)
    for name in WAYS:
        said = after[name]
        assert "is revoked by key" in said or said == "RuntimeError: exit code 3", f"{name}: {said}"
    left = [path for path in (tmp_path / "after/out").rglob("*") if path.is_file()]
    assert left == []


KITFILE = "manifestVersion: 1.0.0\nmodel:\n  name: iris\n  path: model\n"


def use_everywhere(kit: str, policy: Path, folder: Path) -> dict[str, str]:
    """Use a kit in every way, on a machine of its own; return what each way answered."""
    (folder / "out").mkdir(parents=True)
    (folder / "airflow").mkdir()
    env = clean_environment(folder) | {
        "KITLINE_POLICY": str(policy),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "AIRFLOW_HOME": str(folder / "airflow"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, kit, str(folder / "out")],
        env=env, cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answers: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answers
