"""Train, log once, load by digest: the whole of kitline_mlflow in one script.

Run it anywhere: it writes MLflow's database, its artifacts and the data into the current folder.
With KITLINE_REGISTRY=registry.example/team set, the kit of the model goes to that registry.
"""

from __future__ import annotations

from pathlib import Path

import kitline
import kitline_mlflow
import mlflow
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

FOLDER = Path("wine")


def pack_data() -> str:
    """Put the data into a kit of its own; the same data give the same digest on every machine."""
    FOLDER.mkdir(exist_ok=True)
    table = load_wine(as_frame=True).frame
    train, test = train_test_split(table, test_size=0.25, random_state=0, stratify=table["target"])
    train.to_csv(FOLDER / "train.csv", index=False)
    test.to_csv(FOLDER / "test.csv", index=False)
    (FOLDER / "Kitfile").write_text(
        "manifestVersion: 1.0.0\n"
        "package: {name: wine, description: chemistry of 178 Italian wines}\n"
        "datasets:\n"
        "  - {name: train, path: train.csv}\n"
        "  - {name: test, path: test.csv}\n"
    )
    return str(kitline.pack(FOLDER, "wine-data:v1").reference)


def train(data: str) -> tuple[str, pd.DataFrame]:
    """Train on the data kit and log the model; return its pinned reference and the test data."""
    mlflow.set_experiment("wine")
    with mlflow.start_run(run_name="forest"):
        folder = kitline_mlflow.load_modelkit(data)  # verified; becomes a parent of the model
        table, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
        features, labels = table.drop(columns="target"), table["target"]

        mlflow.log_params({"trees": 50, "depth": 5})
        model = RandomForestClassifier(n_estimators=50, max_depth=5, random_state=0)
        model.fit(features, labels)

        # before: mlflow.sklearn.log_model(model, name="wine", …)
        info = kitline_mlflow.log_model(
            model,
            name="wine",
            registered_model_name="wine",
            aliases=["champion"],
            input_example=features.head(3),
            pip_requirements=["scikit-learn", "pandas"],
            serialization_format="cloudpickle",
        )
        mlflow.log_metric("accuracy", model.score(test.drop(columns="target"), test["target"]))

    kitline_mlflow.attest_run()  # the accuracy came after the kit: attach it
    return str(info.reference), test


def address(pinned: str) -> str:
    """Return what MLflow takes as a model URI; kits of the local store have no host."""
    host = pinned.partition("/")[0]
    is_remote = "." in host or ":" in host or host == "localhost"
    return f"modelkit://{'' if is_remote else '/'}{pinned}"


def main() -> None:
    """Train, then load the model in two ways that do not need to know each other."""
    pinned, test = train(pack_data())
    features = test.drop(columns="target")
    by_digest = mlflow.pyfunc.load_model(address(pinned)).predict(features)
    by_alias = mlflow.pyfunc.load_model("models:/wine@champion").predict(features)
    assert list(by_digest) == list(by_alias)
    right = (by_digest == test["target"].to_numpy()).mean()
    print(f"{right:.0%} of {len(test)} wines recognised")
    print(pinned)


if __name__ == "__main__":
    main()
