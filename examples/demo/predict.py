"""The step after training: gets a pinned reference, and knows nothing of the run behind it."""

import logging
import subprocess
import sys
import warnings
from pathlib import Path

KITLINE = Path(sys.executable).with_name("kitline")


def main(reference: str) -> None:
    print(f"   $ kitline unpack {reference} -d unpacked", flush=True)
    done = subprocess.run(
        [KITLINE, "unpack", reference, "-d", "unpacked"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    unpacked = done.stdout.splitlines()[-1]
    print(f"   verified and unpacked {unpacked}", flush=True)

    import mlflow
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    model = mlflow.pyfunc.load_model(str(Path("unpacked/model").absolute()))
    data, labels = load_breast_cancer(return_X_y=True)
    _, held_out, _, true_labels = train_test_split(data, labels, random_state=0)
    predicted = model.predict(held_out)
    accuracy = float((predicted == true_labels).mean())
    print(f"   predictions           {' '.join(map(str, predicted[:12]))} …")
    print(f"   held-out accuracy     {accuracy:.4f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's and its libraries' own, about their next releases
    logging.disable(logging.WARNING)
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)  # its own message is on the screen already
