"""The consumer: gets a pinned reference and nothing else, loads exactly that model, and predicts.

    python consumer.py REFERENCE

Here it is a hospital that later learns what its patients had. It ends with 1 when the model missed
more than one in ten of the malignant tumours.
"""

import json
import sys

import kitline_mlflow
import mlflow
from sklearn.datasets import load_breast_cancer


def main(reference: str) -> int:
    folder = kitline_mlflow.load_modelkit(reference, path="model")  # each byte verified
    model = mlflow.pyfunc.load_model(str(folder))

    table = load_breast_cancer(as_frame=True).frame[4::5]  # nobody saw these patients before
    malignant = table.pop("target") == 0
    predicted = model.predict(table) == 1

    found, missed = int((predicted & malignant).sum()), int((~predicted & malignant).sum())
    print(
        json.dumps(
            {"reference": reference, "patients": len(table), "found": found, "missed": missed}
        )
    )
    return 0 if found >= 9 * missed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
