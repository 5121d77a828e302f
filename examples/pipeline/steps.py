"""The steps of the pipeline, each in the tool that it belongs to, and what the tools say of it."""

import json
from dataclasses import dataclass
from typing import Any

import click
import kitline
import yaml
from airflow_run import Airflow
from handover import HandOvers
from surroundings import Workplace

STAGE = "production"


@dataclass(frozen=True)
class Model:
    """A model that was trained: what the demo calls it, its kit, and MLflow's run."""

    called: str
    reference: str
    run: str


class Pipeline:
    """Runs steps, and asks after each hand-over what the tools call the kit."""

    def __init__(self, work: Workplace, airflow: Airflow) -> None:
        self.work = work
        self.airflow = airflow
        self.handed = HandOvers()
        self.store = "registry" if work.registry else "store"

    def import_data(self) -> str:
        """Make the data kit; return its pinned reference."""
        name = f"{self.work.data_kits}:v1"
        data = self.work.ask("kitline", "import", "dvc:data@v1", "-t", name)
        # whoever looks at the data in DVC finds there what it is called from here on
        self.work.run("kitline", "export", data, "dvc", "-o", "path=data")
        if self.work.run("git", "status", "--porcelain", shown=False):
            self.work.run("git", "commit", "-qam", "note the kit of v1", shown=False)
        tracked = yaml.safe_load((self.work.repository / "data.dvc").read_text())
        digest = tracked["meta"]["kitline"]["digest"]
        self.handed.note("data", "DVC", "data.dvc, meta.kitline.digest", digest)
        self.handed.note("data", self.store, "cancer-data:v1", resolve(name))
        return data

    def train(self, data: str, called: str, version: str, *, strength: float) -> Model:
        """Train on the data kit."""
        name = f"{self.work.model_kits}:{version}"
        ran = json.loads(self.work.ask("python", "train_pipeline.py", data, name, str(strength)))
        given, made = ran["parameters"], ran["outputs"]
        run, tags = f"run {made['run'][:8]}", mlflow_tags(made["run"])
        [parent] = kitline.inspect(name).parents
        if ran["cached"]:
            click.echo("   KFP has this in its cache: nothing was trained")
        note = self.handed.note
        note("data", "KFP", "train, parameter data", digest_of(given["data"]))
        note("data", "MLflow", f"{run}, kitline.input.digest", tags["kitline.input.digest"])
        note("data", self.store, f"cancer:{version}, its parent", parent["digest"])
        note(called, "KFP", "train, output digest", made["digest"])
        note(called, "MLflow", f"{run}, kitline.digest", tags["kitline.digest"])
        note(called, self.store, f"cancer:{version}", resolve(name))
        return Model(called, made["reference"], made["run"])

    def promote(self, model: Model, *, reason: str) -> None:
        """Evaluate a model, say so beside its kit, and promote it."""
        ran = self.airflow.run("promote_cancer", model=model.reference, reason=reason)
        accuracy = ran["xcoms"]["evaluate.metrics"]["accuracy"]
        click.echo(f"   accuracy on held-out data: {accuracy:.3f}; at least 0.9 is asked for")
        read = ran["xcoms"]["evaluate.data"]
        self.handed.note("data", "Airflow", "XCom data of task evaluate", read)
        self._note_move(model, "promote", ran)

    def roll_back(self, to: Model, *, reason: str) -> None:
        """Have production hold again what was good before."""
        self._note_move(to, "roll_back", self.airflow.run("roll_back_cancer", reason=reason))

    def _note_move(self, model: Model, task: str, ran: dict[str, Any]) -> None:
        [event] = ran["events"]
        name = f"{self.work.model_kits}:{STAGE}"
        note = self.handed.note
        note(model.called, "Airflow", f"XCom digest of task {task}", ran["xcoms"][f"{task}.digest"])
        note(model.called, "Airflow", "event of asset cancer-in-production", event["digest"])
        note(model.called, self.store, f"cancer:{STAGE}", resolve(name))

    def use(self, model: Model, *, is_good: bool = True) -> None:
        """Give the name of what is in production, and nothing else, to a process that predicts."""
        reference = str(kitline.resolve(f"{self.work.model_kits}:{STAGE}"))
        said = json.loads(self.work.ask("python", "consumer.py", reference, fails=not is_good))
        click.echo(f"   {said['found']} malignant tumours found, {said['missed']} missed")
        self.handed.note(model.called, "consumer", "its argument", digest_of(said["reference"]))

    def show_lineage(self, data: str, models: list[Model]) -> None:
        """Print the tree, leave the page, and have MLflow's ids lead to the same digests."""
        self.work.run("kitline", "lineage", "index")
        tree = self.work.run("kitline", "lineage", data)
        click.echo("   " + tree.rstrip().replace("\n", "\n   "))
        page = str(self.work.folder / "lineage.html")
        self.work.run("kitline", "lineage", data, "--format", "html", "-O", page)
        graph = kitline.trace_lineage(data)
        for model in models:
            [found] = kitline.find("mlflow-run", model.run)
            [edge] = [each for each in graph.edges if each.child == found.digest]
            made_by = f"made by MLflow run {model.run[:8]}"
            self.handed.note(model.called, "lineage", made_by, str(found.digest))
            self.handed.note("data", "lineage", "what that was made from", str(edge.parent))
        tools = {"KFP", "MLflow", "Airflow", self.store, "lineage"}
        self.handed.require("data", tools | {"DVC"})
        for model in models:
            self.handed.require(model.called, tools | {"consumer"})


def mlflow_tags(run: str) -> dict[str, str]:
    import mlflow

    return dict(mlflow.get_run(run).data.tags)


def resolve(name: str) -> str:
    """Return the digest that a name stands for now."""
    return digest_of(kitline.resolve(name))


def digest_of(reference: object) -> str:
    return str(reference).rpartition("@")[2]
