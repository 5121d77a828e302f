"""The whole pipeline on one digest: DVC, Kubeflow, MLflow, Airflow, production, and the way back.

`make demo` has everything in `.demo/`, with kits in a local store; `REGISTRY=registry.example/team
make demo` has kits in a registry. `make demo ARGS=--again` goes through the same folder again, and
makes nothing anew.
"""

import argparse
import os
import shutil
import time
from pathlib import Path

import click
from airflow_run import Airflow
from data import make_repository
from steps import Pipeline
from surroundings import Workplace

ROOT = Path(__file__).resolve().parents[2]


def main(work: Workplace, *, again: bool = False) -> None:
    began = time.monotonic()
    work.enter()
    again = again and work.repository.exists()
    if not again:
        shutil.rmtree(work.folder, ignore_errors=True)
        say("A team's repository: git keeps the code, DVC the data")
        make_repository(work)
    with Airflow.start(work) as airflow:
        step = Pipeline(work, airflow)

        say("Data: the version that DVC knows becomes a kit, with one name for good")
        data = step.import_data()

        say("Train: a Kubeflow step gets that name, trains under MLflow, and logs a model kit")
        model = step.train(data, "model", "v1", strength=1)

        say("Promote: an Airflow DAG evaluates on held-out data, attests to it, and promotes")
        step.promote(model, reason="the first model")

        say("Use: another process gets the name of what is in production, and nothing else")
        step.use(model)
        models = [model]

        if not again:
            say("A worse model: its accuracy is good enough for the DAG …")
            worse = step.train(data, "worse", "v2", strength=500)
            step.promote(worse, reason="smaller coefficients")

            say("… but not for those who use it, so Airflow rolls back")
            step.use(worse, is_good=False)
            step.roll_back(model, reason="it misses tumours")
            step.use(model)
            models.append(worse)

    say("Lineage: what was made from what, as the kits themselves tell")
    step.show_lineage(data, models)

    say(f"One digest at every hand-over ({time.monotonic() - began:.0f} seconds)")
    click.echo(f"   data        {data}\n   production  {model.reference}")
    click.echo(f"   the picture is in {work.folder / 'lineage.html'}")


def say(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--again", action="store_true", help="in the folder of the last time")
    asked = parser.parse_args()
    here = Path(os.environ.get("DEMO_FOLDER") or ROOT / ".demo")
    registry = os.environ.get("REGISTRY", "").rstrip("/") or None
    main(Workplace(folder=here.resolve(), registry=registry), again=asked.again)
