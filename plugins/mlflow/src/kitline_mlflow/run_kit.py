"""What comes from a run itself: facts, figures and dataset inputs as drawers, once it has ended.

Without a logged model the run is the unit, and its facts and files are the kit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import Collected, Dataset, Docs, FileTree, Kitfile, Origin, bytes_entry

from kitline_mlflow.facts import FIGURES, collect_facts, run_facts
from kitline_mlflow.facts_history import canonical
from kitline_mlflow.files import open_files
from kitline_mlflow.model_kit import RUN_ID, Extra
from kitline_mlflow.options import RECIPE
from kitline_mlflow.redact import Redactor
from kitline_mlflow.run_provenance import run_provenance
from kitline_mlflow.run_traces import run_traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.plugin import Entry
    from mlflow.entities import Run

    from kitline_mlflow.options import Options
    from kitline_mlflow.server import Server

FACTS = "mlflow-run"
"""Folder of the docs drawer with `run.json` and `metrics.jsonl`."""
FILES = "artifacts"
_DATASETS = "datasets"
# what may change of a run that has ended, and by kitline's own write-back or registration does
_CHANGING = ("name", "experiment", "lifecycle", "children", "parent", "user")
_CHANGING_TAGS = (
    *("mlflow.note.content", "mlflow.linkedPrompts", "mlflow.runName", "mlflow.user"),
    "mlflow.modelVersions",
)


def collect_run(server: Server, run: Run, options: Options, check: Callable[[], None]) -> Collected:
    """Collect a run that has no logged model.

    Raises:
        SourceError: if it has not finished.
    """
    _require_finished(run, "a run without a logged model is packed with its facts")
    redactor = Redactor.parse(options.redact)
    facts = run_facts(server, run, redactor, check)
    files, warnings = _files(server, run)
    docs = [Docs(path=FACTS, description="facts of the MLflow run")]
    if files:
        docs.append(Docs(path=FILES, description="files that the MLflow run logged"))
    datasets, pointers = _datasets(facts) if "datasets" in options.drawers else ((), ())
    statements = [
        collect_facts(server, run, redactor=redactor, known=facts),
        run_provenance(server, run, None, (), redactor),
    ]
    if options.traces:
        statements.append(run_traces(server, run, redactor))
    return Collected(
        tree=FileTree(
            kitfile=Kitfile(docs=tuple(docs), datasets=datasets),
            files=(*facts_files(facts), *files, *pointers),
        ),
        recipe=RECIPE,
        annotations={RUN_ID: run.info.run_id},
        created=datetime.fromtimestamp(run.info.start_time // 1000, UTC),
        origin=Origin(
            importer="mlflow", source=f"mlflow://runs/{run.info.run_id}", server=server.name
        ),
        statements=tuple(statements),
        warnings=warnings,
    )


def extra_content(
    server: Server, run: Run, options: Options, redactor: Redactor, check: Callable[[], None]
) -> Extra | None:
    """Return the drawers that were asked for and come from the run, beside its model.

    Raises:
        SourceError: if the run has not finished.
    """
    wants_figures, wants_data = "docs" in options.drawers, "datasets" in options.drawers
    if not (options.facts_in_kit or wants_figures or wants_data):
        return None
    _require_finished(run, "facts, docs and datasets of a run are packed")
    facts = run_facts(server, run, redactor, check)
    docs: list[Docs] = []
    files: list[Entry] = []
    parameters: dict[str, Any] = {}
    if options.facts_in_kit:
        docs.append(Docs(path=FACTS, description="facts of the MLflow run"))
        files += facts_files(facts)
        parameters = {"mlflow.metrics": facts["metrics"]} if "metrics" in facts else {}
    if wants_figures:
        figures = [each for each in _files(server, run)[0] if each.path.lower().endswith(FIGURES)]
        if figures:
            docs.append(Docs(path=FILES, description="figures of the MLflow run"))
            files += figures
    datasets: tuple[Dataset, ...] = ()
    if wants_data:
        datasets, pointers = _datasets(facts)
        files += pointers
    return Extra(docs=tuple(docs), datasets=datasets, files=tuple(files), parameters=parameters)


def facts_files(facts: dict[str, Any]) -> tuple[Entry, ...]:
    """Return the facts of a finished run as files, without what may still change."""
    kept = {key: value for key, value in facts.items() if key not in (*_CHANGING, "history")}
    tags = kept.pop("tags", {})
    if tags := {key: value for key, value in tags.items() if key not in _CHANGING_TAGS}:
        kept["tags"] = tags
    files = [bytes_entry(f"{FACTS}/run.json", canonical(kept).encode() + b"\n")]
    if history := facts.get("history"):
        files.append(bytes_entry(f"{FACTS}/metrics.jsonl", history.encode()))
    return tuple(files)


def _files(server: Server, run: Run) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    return open_files(server.open_artifacts(run.info.artifact_uri), FILES, may_be_missing=True)


def _datasets(facts: dict[str, Any]) -> tuple[tuple[Dataset, ...], tuple[Entry, ...]]:
    """Return what the Kitfile says of the inputs, and pointers to where they lie."""
    datasets, files = [], []
    for number, each in enumerate(facts.get("datasets", ())):
        path = f"{_DATASETS}/input-{number + 1}.json"
        files.append(bytes_entry(path, canonical(each).encode() + b"\n"))
        datasets.append(
            Dataset(
                name=each.get("name", ""),
                path=path,
                description="where an input of the MLflow run lies",
                parameters={"digest": each.get("digest", "")},
            )
        )
    return tuple(datasets), tuple(files)


def _require_finished(run: Run, what: str) -> None:
    if run.info.status != "FINISHED":
        raise SourceError(
            f"run {run.info.run_id!r} is {run.info.status}, not FINISHED: {what} only after that"
        )
