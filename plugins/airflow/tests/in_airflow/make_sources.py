"""Makes what the importers read: a run of MLflow, a repository of DVC, a finished run of KFP.

    python make_sources.py mlflow|dvc|kfp FOLDER

Run by an interpreter that has the tools; prints the arguments of the operator as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from kfp import dsl
from kfp.dsl import Model, Output  # without 'dsl.' in annotations, and none of them lazy


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def train(model: Output[Model]) -> None:
    with open(model.path, "w") as file:
        file.write("weights")


@dsl.pipeline(name="train")
def pipeline() -> None:
    train()


def make_kfp(folder: Path) -> dict[str, object]:
    """Run a pipeline of one step."""
    from kfp import local

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "runs"))
    pipeline()
    (run,) = (folder / "runs").iterdir()
    return {"run_folder": str(run), "options": {"model": "train/model"}}


def make_mlflow(folder: Path) -> dict[str, str]:
    """Log a model in a run."""
    import mlflow
    from sklearn.linear_model import LogisticRegression

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    os.chdir(folder)
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run() as run:
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        mlflow.sklearn.log_model(model, name="iris", pip_requirements=["scikit-learn"])
    return {"run_id": run.info.run_id, "tracking_uri": uri}


def make_dvc(folder: Path) -> dict[str, str]:
    """Track a folder."""

    def run(*words: str) -> None:
        subprocess.run(words, cwd=folder, check=True, stdout=sys.stderr)

    run("git", "init", "-q")
    run(sys.executable, "-m", "dvc", "init", "-q")
    data = folder / "data" / "train"
    data.mkdir(parents=True)
    (data / "a.csv").write_text("x,y\n1,2\n")
    run(sys.executable, "-m", "dvc", "add", "-q", "data/train")
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "data")
    run("git", "tag", "v1")
    return {"path": "data/train", "rev": "v1", "repo": str(folder)}


if __name__ == "__main__":
    where = Path(sys.argv[2])
    where.mkdir(parents=True, exist_ok=True)
    arguments = globals()[f"make_{sys.argv[1]}"](where)
    print(json.dumps(arguments))
