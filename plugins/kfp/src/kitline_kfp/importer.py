"""Importer: outputs of a finished run become a kit; parameters and metrics are said beside it.

Identity is content and layout alone. Run, tasks and addresses go into statements, so that two runs
with the same outputs give one digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import Cancelled, SourceError, UsageError
from kitline.plugin import Collected, Origin, check_options

from kitline_kfp.local_run import LocalRun
from kitline_kfp.pipeline_spec import PipelineSpec
from kitline_kfp.run_choice import choose
from kitline_kfp.run_facts import describe_run
from kitline_kfp.steps.drawers import lay_out
from kitline_kfp.steps.values import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline.plugin import ImportContext

    from kitline_kfp.run_reader import RunReader

RECIPE = "kfp/1"
_DRAWER_OPTIONS = ("model", "parts", "datasets", "code", "docs", "prompts", "metrics")
_OTHER_OPTIONS = ("task", "spec", "parameters", "objects", "namespace")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose."""

    tasks: tuple[str, ...] = ()
    drawers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Outputs by drawer, as `task/name`."""
    spec: str = ""
    parameters: bool = False
    objects: str = ""
    namespace: str = ""

    @classmethod
    def parse(cls, options: Mapping[str, str], task: str) -> Options:
        """Read `-o` options.

        Raises:
            UsageError: naming the one that is unknown or malformed.
        """
        check_options(options, (*_DRAWER_OPTIONS, *_OTHER_OPTIONS), "the kfp importer")
        parameters = options.get("parameters", "false")
        if parameters not in ("true", "false"):
            raise UsageError(f"option 'parameters' is 'true' or 'false', not {parameters!r}")
        return cls(
            tasks=_names(options.get("task", "")) or ((task,) if task else ()),
            drawers={name: _names(options[name]) for name in _DRAWER_OPTIONS if options.get(name)},
            spec=options.get("spec", ""),
            parameters=parameters == "true",
            objects=options.get("objects", ""),
            namespace=options.get("namespace", ""),
        )


def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    """Collect outputs of a run; their files are opened when they are packed.

    Raises:
        UsageError: if source or options cannot be understood.
        SourceError: if run, task or output is missing, or nothing tells what an output is.
    """
    address, task = _split(source)
    chosen = Options.parse(options, task)
    run = _open_run(address, chosen)
    choice = choose(run, tasks=chosen.tasks, drawers=chosen.drawers)
    if context.cancelled():
        raise Cancelled(f"import of {source!r} was cancelled")
    parameters = {
        f"{each.name}.{name}": value
        for each in choice.tasks
        for name, value in each.parameters.items()
    }
    tree = lay_out(
        choice.contents,
        parameters=whole_numbers(parameters) if chosen.parameters else None,
    )
    return Collected(
        tree=tree,
        recipe=RECIPE,
        origin=Origin(importer="kfp", source=f"kfp:{run.run_id}", server=run.server),
        statements=describe_run(run, choice, _shown(chosen)),
    )


def expand(source: str, options: Mapping[str, str], context: ImportContext) -> Iterable[str]:
    """Name each task that has outputs, as a source of its own."""
    address, _ = _split(source)
    run = _open_run(address, Options.parse(options, ""))
    return [
        f"{address}#{task.name}"
        for task in run.tasks()
        if any(each.open is not None for each in task.artifacts)
    ]


def _split(source: str) -> tuple[str, str]:
    """Return a run and a task of it; folders may have a '#' in their names, too."""
    if "#" not in source or Path(source.partition(":")[2]).is_dir():
        return source, ""
    address, _, task = source.rpartition("#")
    return address, task


def _open_run(address: str, chosen: Options) -> RunReader:
    rest = address.partition(":")[2]
    if rest.startswith("//"):
        from kitline_kfp.cluster_run import open_cluster_run

        return open_cluster_run(rest[2:], objects=chosen.objects, namespace=chosen.namespace)
    if not rest:
        raise UsageError("name a run: kfp:RUN_FOLDER or kfp://HOST/runs/ID")
    spec = PipelineSpec.from_file(chosen.spec) if chosen.spec else PipelineSpec()
    folder = Path(rest)
    if not folder.is_dir():
        raise SourceError(f"there is no run folder {rest!r}")
    return LocalRun(folder=folder, spec=spec)


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _shown(chosen: Options) -> dict[str, Any]:
    """Return the options as provenance tells them: no address and no folder of this machine."""
    found: dict[str, Any] = {name: list(each) for name, each in chosen.drawers.items()}
    if chosen.tasks:
        found["task"] = list(chosen.tasks)
    if chosen.parameters:
        found["parameters"] = True
    return found
