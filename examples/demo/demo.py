"""The main job: a real MLflow run becomes a ModelKit, and the next step uses its digest.

Three processes hand over one name. This one trains a model under MLflow; the second (`kitline
import`) makes a kit of the run and prints its pinned reference; the third (`predict.py`) gets that
reference and nothing else. Everything lies in `.demo/`, which is made anew each time.
"""

import logging
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".demo"
KITLINE = Path(sys.executable).with_name("kitline")
TRACKING = f"sqlite:///{WORK / 'mlflow.db'}"


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    # the kit lands in a local store in .demo/, not in the user's; nothing is sent anywhere
    os.environ |= {
        "KITLINE_HOME": str(WORK / "kitline"),
        "MLFLOW_TRACKING_URI": TRACKING,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    say("1. Train: a scikit-learn model on the breast cancer data set, tracked by MLflow")
    run_id, accuracy = train()
    tell(f"MLflow run            {run_id}")
    tell(f"held-out accuracy     {accuracy:.4f}")

    say("2. Import: the run's logged model becomes a ModelKit")
    reference = kitline("import", f"mlflow://runs/{run_id}", "-t", "cancer:v1")
    tell(f"the kit's name        {reference}")
    tell("                      from here on this digest is all that is handed over")

    say("3. Predict: another process gets the digest, and loads exactly that model")
    subprocess.run(
        [sys.executable, Path(__file__).with_name("predict.py"), reference], check=True, cwd=WORK
    )

    say("4. Again: the run goes on to live in MLflow, and the digest stays what it was")
    change_what_may_change(run_id)
    again = kitline("import", f"mlflow://runs/{run_id}", "-t", "cancer:again")
    tell(f"imported again        {again}")
    if again != reference:
        sys.exit("the digests differ, which is a bug in kitline")
    tell("                      the same digest: same content, same name")


def train() -> tuple[str, float]:
    """Train and log a model; return the run's id and the accuracy on held-out data."""
    # MLflow and scikit-learn take seconds to import: say first what is going on
    import mlflow
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, labels = load_breast_cancer(return_X_y=True)
    seen, held_out, seen_labels, true_labels = train_test_split(data, labels, random_state=0)
    experiment = mlflow.create_experiment("cancer", artifact_location=str(WORK / "artifacts"))
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_param("C", 0.1)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(seen, seen_labels)
        # pip_requirements are named, since finding them out takes MLflow some ten seconds
        mlflow.sklearn.log_model(model, name="cancer", pip_requirements=["scikit-learn"])
        accuracy = float(model.score(held_out, true_labels))
        mlflow.log_metric("accuracy", accuracy)
    return run.info.run_id, accuracy


def change_what_may_change(run_id: str) -> None:
    """Log another metric, tag the run and rename it, as people do after a run has ended."""
    from mlflow import MlflowClient

    client = MlflowClient()
    client.log_metric(run_id, "accuracy_next_month", 0.9)
    client.set_tag(run_id, "reviewed", "yes")
    client.update_run(run_id, name="renamed")
    tell("in MLflow             one more metric, one more tag, another name")


def kitline(*words: str) -> str:
    """Run the command line; return the last line of its stdout, which is the pinned reference."""
    print(f"   $ kitline {' '.join(words)}", flush=True)
    done = subprocess.run([KITLINE, *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def tell(text: str) -> None:
    print(f"   {text}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's and its libraries' own, about their next releases
    logging.disable(logging.WARNING)  # database migrations, and the like
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)  # its own message is on the screen already
