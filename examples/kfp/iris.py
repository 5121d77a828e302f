"""Data, training, evaluation, push, verification and a check before deployment, by digest.

Runs locally, as KFP's own local runner does it, twice: the second run shows what the cache skips.
Everything lies in a temporary folder unless `REGISTRY=host[/path]` names a registry.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault(
    "KITLINE_KFP_PACKAGES", ""
)  # the steps run in this Python, and install nothing
os.environ.setdefault("KITLINE_KFP_BASE_IMAGE", "python:3.12-slim")

import kitline
import kitline_kfp
from kfp import compiler, dsl, local
from kfp.dsl import Dataset, Input, Metrics, Model, Output

STEP = {
    "base_image": os.environ["KITLINE_KFP_BASE_IMAGE"],
    "packages_to_install": os.environ["KITLINE_KFP_PACKAGES"].split(),
    "install_kfp_package": bool(os.environ["KITLINE_KFP_PACKAGES"]),
}


@dsl.component(**STEP)
def make_data(train: Output[Dataset], test: Output[Dataset]) -> None:
    """The iris data that scikit-learn brings, in two tables."""
    from sklearn.datasets import load_iris

    table = load_iris(as_frame=True).frame
    for number, output in enumerate((test, train)):
        chosen = table[table.index % 5 == 0] if number == 0 else table[table.index % 5 > 0]
        chosen.to_csv(output.path, index=False)


@dsl.component(**STEP)
def train(data: str, depth: int, model: Output[Model]) -> None:
    """Train with the data that the digest names."""
    import pickle

    import pandas
    from kitline_kfp import steps
    from sklearn.tree import DecisionTreeClassifier

    fetched = steps.fetch(data, drawers=["datasets:train"])
    table = pandas.read_csv(fetched / "datasets/train")
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    tree.fit(table.drop(columns="target").to_numpy(), table["target"])
    with open(model.path, "wb") as file:
        pickle.dump(tree, file, protocol=5)


@dsl.component(**STEP)
def evaluate(data: str, model: Input[Model], metrics: Output[Metrics]) -> None:
    """Measure with data that training has not seen."""
    import pickle

    import pandas
    from kitline_kfp import steps

    table = pandas.read_csv(steps.fetch(data, drawers=["datasets:test"]) / "datasets/test")
    with open(model.path, "rb") as file:
        tree = pickle.load(file)
    score = tree.score(table.drop(columns="target").to_numpy(), table["target"])
    metrics.log_metric("accuracy", float(score))


@dsl.component(**STEP)
def deploy_check(model: str) -> NamedTuple("Checked", [("digest", str), ("answer", str)]):
    """Load the model by digest, as whoever serves it will, and ask it once."""
    import pickle

    from kitline_kfp import steps

    fetched = steps.fetch(model, drawers=["model"])
    with open(fetched / "model", "rb") as file:
        tree = pickle.load(file)
    answer = int(tree.predict([[5.1, 3.5, 1.4, 0.2]])[0])
    return (fetched.digest, f"class {answer}")


@dsl.pipeline(name="iris", description="One digest from the data to the check before deployment")
def pipeline(repository: str, key: str, depth: int = 3) -> None:
    """Hand on digests: the data kit's up to training, the model kit's from there on."""
    made = make_data()
    data = kitline_kfp.push_modelkit(
        to=f"{repository}/data:v1",
        dataset=made.outputs["train"],
        dataset_2=made.outputs["test"],
    )
    trained = train(data=data.outputs["reference"], depth=depth)
    evaluated = evaluate(data=data.outputs["reference"], model=trained.outputs["model"])
    model = kitline_kfp.push_modelkit(
        to=f"{repository}/model:v1",
        model=trained.outputs["model"],
        metrics=evaluated.outputs["metrics"],
        parameters={"max_depth": depth},
        parents=[f"data={data.outputs['reference']}"],
        framework="scikit-learn",
    )
    # provenance, signed with the key that KITLINE_SIGN_KEY names, is what this asks for
    verified = kitline_kfp.verify_modelkit(
        modelkit=model.outputs["reference"],
        key=key,
        attestations=["provenance"],
        signature=False,
    )
    # what is deployed is looked at each time, even if it was looked at before
    deploy_check(model=verified.outputs["reference"]).set_caching_options(False)
    kitline_kfp.lineage_report(modelkit=verified.outputs["reference"])


def main(work: Path) -> None:
    os.environ.setdefault("KITLINE_HOME", str(work / "kitline"))
    os.environ.setdefault("KITLINE_KEY_PASSWORD", "")
    subprocess.run([*KITLINE, "keygen", str(work / "pipeline")], check=True, capture_output=True)
    os.environ["KITLINE_SIGN_KEY"] = str(work / "pipeline.key")
    registry = os.environ.get("REGISTRY", "")
    inputs = {
        "repository": f"{registry}/iris" if registry else "iris",
        "key": (work / "pipeline.pub").read_text(),
    }
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(work / "runs"),
        enable_caching=True,
    )
    compiler.Compiler().compile(pipeline, str(work / "iris.yaml"))

    first, second = run(work, inputs), run(work, inputs)

    print("\nthe model's digest, wherever it is written:")
    task = first / "push-modelkit-2"
    output = json.loads((task / "executor_output.json").read_text())
    reference = output["parameterValues"]["reference"]
    found = {
        "output parameter": output["parameterValues"]["digest"],
        "artifact metadata": output["artifacts"]["kit"]["artifacts"][0]["metadata"]["oci_digest"],
        "receipt": json.loads((task / "kit").read_text())["digest"],
        "deploy check": parameters(first / "deploy-check")["digest"],
        "tag v1 now": str(kitline.resolve(f"{inputs['repository']}/model:v1").digest),
        "second run": parameters(second / "push-modelkit-2")["digest"],
    }
    for name, digest in found.items():
        print(f"  {name:<19}{digest}")
    if len(set(found.values())) != 1:
        sys.exit("the digests differ, which is a bug in kitline")

    print(f"\nthe answer of the model   {parameters(first / 'deploy-check')['answer']}")
    skipped = {each.name for each in first.iterdir()} - {each.name for each in second.iterdir()}
    print(f"skipped in the second run {', '.join(sorted(skipped))}")
    print("\nwhat it was made from:")
    print(kitline.trace_lineage(reference).render("text"))


def run(work: Path, inputs: dict[str, str]) -> Path:
    """Run the pipeline; return the folder of the run."""
    before = set((work / "runs").glob("iris-*"))
    pipeline(**inputs)
    [folder] = set((work / "runs").glob("iris-*")) - before
    return folder


def parameters(task: Path) -> dict[str, str]:
    return json.loads((task / "executor_output.json").read_text())["parameterValues"]


KITLINE = [sys.executable, "-m", "kitline"]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kitline-kfp-") as folder:
        main(Path(folder))
