"""Importer: what MLflow holds becomes a kit.

The unit of identity is MLflow's LoggedModel at READY: its files, its params, run and model id, the
time it was made, the prompts it was logged with and the digests of what it was made from. What may
still change (metrics, tags, names, aliases, end time) and where the server is stay outside, so that
importing again gives the same digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import Cancelled, SourceError, UsageError
from kitline.plugin import Collected, Origin

from kitline_mlflow.facts import collect_facts
from kitline_mlflow.files import FOLDER, open_files
from kitline_mlflow.known_kit import kit_of_address, kit_of_model, pointed_kit
from kitline_mlflow.model_file import read_model_file
from kitline_mlflow.model_kit import MODEL_ID, RUN_ID, VERSION, Content, compose, described_facts
from kitline_mlflow.options import RECIPE, Options
from kitline_mlflow.prompt_file import read_linked
from kitline_mlflow.prompt_source import collect_prompt
from kitline_mlflow.redact import Redactor
from kitline_mlflow.run_kit import collect_run, extra_content
from kitline_mlflow.run_models import find_run_model, find_version_model, require_ready
from kitline_mlflow.run_provenance import run_provenance
from kitline_mlflow.run_traces import run_traces
from kitline_mlflow.server import Server
from kitline_mlflow.source import (
    ExperimentSource,
    LoggedModelSource,
    PromptSource,
    RegisteredSource,
    RunSource,
    VersionSource,
    parse_source,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kitline.plugin import Entry, ImportContext, Statement
    from mlflow.entities import LoggedModel, Run

__all__ = ["MODEL_ID", "RECIPE", "RUN_ID", "VERSION", "collect", "describe", "expand"]


def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    """Collect what a source names; its files are opened only when they are packed.

    Raises:
        UsageError: if source or options cannot be understood, or the source is a container.
        SourceError: if what it names is missing, unfinished, or not exactly one thing.
    """
    wanted, chosen = parse_source(source), Options.parse(options)
    if isinstance(wanted, ExperimentSource | RegisteredSource):
        raise UsageError(
            f"{source!r} holds many things; see them with 'kitline import --list {source}'"
        )
    check = _checker(source, context)
    server = open_server(wanted.tracking_uri, chosen)
    check()
    match wanted:
        case PromptSource():
            return collect_prompt(server, wanted)
        case LoggedModelSource():
            return _collect_model(server, server.get_model(wanted.model_id), chosen, check)
        case VersionSource():
            found = find_version_model(server, wanted)
            if isinstance(found, str):
                return kit_of_address(found, server)
            return _collect_model(server, found, chosen, check)
        case RunSource():
            run = server.get_run(wanted.run_id)
            _check_run(run, wanted, allow_unfinished=chosen.allow_unfinished)
            model = find_run_model(server, run, wanted.model or chosen.model)
            if model is None:
                return collect_run(server, run, chosen, check)
            return _collect_model(server, model, chosen, check)


def _collect_model(
    server: Server, model: LoggedModel, options: Options, check: Callable[[], None]
) -> Collected:
    require_ready(model)
    files, warnings = open_files(server.open_artifacts(model.artifact_location))
    return describe(server, model, files, options=options, check=check, warnings=warnings)


def describe(
    server: Server,
    model: LoggedModel,
    files: tuple[Entry, ...],
    *,
    run: Run | None = None,
    options: Options | None = None,
    with_facts: bool = True,
    check: Callable[[], None] = lambda: None,
    warnings: tuple[str, ...] = (),
) -> Collected:
    """Say what the kit of a logged model is, from its files wherever they lie.

    Files that were just saved (`files.find_files(folder)`) and those of a store give one manifest.

    Args:
        server: Where the model is; asked for linked prompts and facts.
        model: The model, READY or about to be.
        files: Its files, below `files.FOLDER`.
        run: The run that made it, if it is at hand; else it is read.
        options: What the user chose.
        with_facts: Whether to attach what the run knows now.
        check: Called between two requests; raises `Cancelled` to stop.
        warnings: What people should know of the files.

    Raises:
        SourceError: if MLmodel is missing or hostile, or the server does not answer.
    """
    options = Options() if options is None else options
    what = f"logged model {model.model_id!r}"
    if run is None and model.source_run_id:
        run = server.find_run(model.source_run_id)
    described = read_model_file(files, FOLDER, what)
    if described.pointer:
        return pointed_kit(described.pointer, model, server)
    takes_prompts = "prompts" in options.drawers and options.recipe == RECIPE
    prompts = read_linked(server, described.prompts, what) if takes_prompts else ()
    redactor = Redactor.parse(options.redact)
    content = Content(
        model=model, run=run, files=files, described=described, prompts=prompts, redactor=redactor
    )
    extra = extra_content(server, run, options, redactor, check) if run is not None else None
    collected = compose(content, options, extra)
    statements: list[Statement] = []
    if with_facts:
        facts = described_facts(content)
        statements.append(
            collect_facts(server, run, model, redactor=redactor, described=facts, check=check)
        )
    statements.append(run_provenance(server, run, model, collected.parents, redactor))
    if options.traces and run is not None:
        statements.append(run_traces(server, run, redactor))
    return Collected(
        tree=collected.tree,
        recipe=options.recipe,
        annotations=collected.annotations,
        parents=collected.parents,
        created=collected.created,
        origin=Origin(importer="mlflow", source=f"models:/{model.model_id}", server=server.name),
        statements=tuple(statements),
        known=kit_of_model(model) if options.is_default else (),
        warnings=(*warnings, *collected.warnings, *_redacted(redactor)),
    )


def expand(source: str, options: Mapping[str, str], context: ImportContext) -> Iterable[str]:
    """Name what an experiment or a registered model holds, as sources that can be imported.

    Of an experiment: each logged model that is READY, and each finished run that has none.
    """
    wanted, chosen = parse_source(source), Options.parse(options)
    server = open_server(wanted.tracking_uri, chosen)
    check = _checker(source, context)
    match wanted:
        case RegisteredSource():
            prefix = f"mlflow://{wanted.host}/models" if wanted.host else "models:"
            return [f"{prefix}/{wanted.name}/{each}" for each in server.list_versions(wanted.name)]
        case ExperimentSource():
            return _experiment(server, wanted, check)
        case _:
            return [source]


def open_server(tracking_uri: str | None, options: Options) -> Server:
    """Return the server that options or source name, else the ambient one."""
    return Server(
        options.tracking_uri or tracking_uri,
        local_artifacts=options.local_artifacts,
        artifact_hosts=options.artifact_hosts,
    )


def _experiment(
    server: Server, wanted: ExperimentSource, check: Callable[[], None]
) -> Iterator[str]:
    host = f"{wanted.host}/" if wanted.host else ""
    experiment = server.get_experiment_id(wanted.experiment)
    models = f"mlflow://{host}models" if host else "models:"
    for model in server.list_models(experiment):
        if str(model.status) == "READY":
            yield f"{models}/{model.model_id}"
    for run in server.list_runs(experiment):
        check()
        has_models = run.outputs and run.outputs.model_outputs
        if run.info.status == "FINISHED" and not has_models:
            yield f"mlflow://{host}runs/{run.info.run_id}"


def _checker(source: str, context: ImportContext) -> Callable[[], None]:
    def check() -> None:
        if context.cancelled():
            raise Cancelled(f"import of {source!r} was cancelled")

    return check


def _check_run(run: Run, wanted: RunSource, *, allow_unfinished: bool) -> None:
    if wanted.experiment not in (None, run.info.experiment_id):
        raise SourceError(
            f"run {wanted.run_id!r} belongs to experiment {run.info.experiment_id!r},"
            f" not to {wanted.experiment!r}"
        )
    if run.info.status != "FINISHED" and not allow_unfinished:
        raise SourceError(
            f"run {wanted.run_id!r} is {run.info.status}, not FINISHED; wait for its end,"
            " or take its model as it is with '-o allow-unfinished=true'"
        )


def _redacted(redactor: Redactor) -> tuple[str, ...]:
    if not redactor.found:
        return ()
    names = sorted(redactor.found)
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (f"looks secret and is left out: {', '.join(names[:10])}{more}",)
