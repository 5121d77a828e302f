"""Kubeflow Pipelines: one step trains on the data kit and hands on the digest of a model kit.

    python train_pipeline.py DATA_REFERENCE TO STRENGTH

The data come as a pinned reference, a parameter, so KFP's cache is keyed by content. On a cluster
the same pipeline runs as it is, once `kitline_kfp.configure(...)` has named an image.
"""

import json
import os
import subprocess
import sys
from glob import glob
from typing import Any, NamedTuple

from kfp import dsl, local
from kfp.dsl import Artifact, Output


class Trained(NamedTuple):
    digest: str
    reference: str
    run: str


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def train(data: str, to: str, strength: float, kit: Output[Artifact]) -> NamedTuple(
    "Outputs", [("digest", str), ("reference", str), ("run", str)]
):
    """Train on a data kit, tracked by MLflow, and log the model to MLflow and to a ModelKit."""
    import os

    import kitline_mlflow
    import mlflow
    import pandas
    from kitline.plugin import PinnedReference
    from kitline_kfp.steps import Pushed, find_invocation, leave_receipt
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # which data went in (MLflow's tag), and which KFP run it was (the kit's provenance)
    os.environ["KITLINE_INPUT_DIGEST"] = str(PinnedReference.parse(data).digest)
    os.environ.update(find_invocation(kit).to_environment())

    mlflow.set_experiment("cancer")
    with mlflow.start_run(run_name=f"strength {strength:g}") as run:
        folder = kitline_mlflow.load_modelkit(data)  # verified, and a parent of the model
        table = pandas.read_csv(folder / "data/train.csv")
        features, labels = table.drop(columns="malignant"), table["malignant"]

        mlflow.log_param("strength", strength)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / strength))
        model.fit(features, labels)

        # before: mlflow.sklearn.log_model(model, name="cancer", …)
        logged = kitline_mlflow.log_model(
            model, name="cancer", reference=to, pip_requirements=["scikit-learn", "pandas"]
        )
    pushed = Pushed(digest=str(logged.digest), reference=str(logged.reference))
    leave_receipt(kit, pushed, logged.receipt)
    return (pushed.digest, pushed.reference, run.info.run_id)


@dsl.pipeline(name="cancer")
def cancer(data: str, to: str, strength: float) -> Trained:
    """Train; later steps would take `digest`, and be skipped when it is the same as before."""
    trained = train(data=data, to=to, strength=strength)
    return Trained(**{name: trained.outputs[name] for name in Trained._fields})


def run_here(folder: str, **parameters: Any) -> dict[str, Any]:
    """Run the pipeline on this machine, with KFP's cache; return its outputs."""
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=folder,
        enable_caching=True,
        raise_on_error=True,
    )
    before = set(glob(f"{folder}/*"))
    task = cancer(**parameters)
    is_cached = set(glob(f"{folder}/*")) == before  # a run that did nothing leaves no folder
    return {"parameters": parameters, "outputs": task.outputs, "cached": is_cached}


if __name__ == "__main__":
    data, to, strength = sys.argv[1:]
    git = ["git", "rev-parse", "HEAD"]  # goes into the kit's provenance, not into its digest
    os.environ["KITLINE_GIT_COMMIT"] = subprocess.check_output(git, text=True).strip()
    ran = run_here(os.environ["KFP_RUNS"], data=data, to=to, strength=float(strength))
    print(json.dumps(ran))
