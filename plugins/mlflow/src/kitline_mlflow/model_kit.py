"""The kit of a logged model: a function of what cannot change after READY. Nothing is asked here.

Recipe mlflow/2: the model's files below `model/`; code paths and models-from-code, where MLmodel
names them, have layers of their own at the same paths; linked prompts below `prompts/`; params but
kitline's own; ids, MLflow's version and the serialisation as annotations. mlflow/1 had no drawers
but the model's, and no serialisation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import Code, Collected, FileTree, Kitfile, Model, Origin

from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_check import check_files
from kitline_mlflow.model_yaml import read_small
from kitline_mlflow.normalise import normalise
from kitline_mlflow.options import RECIPE, Options
from kitline_mlflow.parents import find_parents
from kitline_mlflow.serialisation import Serialisation, find_serialisation
from kitline_mlflow.tags import PREFIX

if TYPE_CHECKING:
    from kitline.plugin import Dataset, Docs, Entry
    from mlflow.entities import LoggedModel, Run

    from kitline_mlflow.model_file import ModelFile
    from kitline_mlflow.prompt_file import PromptFile
    from kitline_mlflow.redact import Redactor

RUN_ID = "io.kitline.mlflow.run-id"
MODEL_ID = "io.kitline.mlflow.model-id"
VERSION = "io.kitline.mlflow.version"
SERIALISATION = "io.kitline.mlflow.serialization"
"""How the weights are written, such as `skops` or `onnx`; several with commas between them."""
EXECUTES = "io.kitline.mlflow.executes-on-load"
"""`true` if loading may run code that comes with the model, `false` if its weights are data."""
LOADER = "io.kitline.mlflow.loader"
"""The module that loads the model, where it is neither MLflow's nor kitline's."""
_REQUIREMENTS_LIMIT = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a kit is made from."""

    model: LoggedModel
    run: Run | None
    files: tuple[Entry, ...]
    described: ModelFile
    redactor: Redactor
    prompts: tuple[PromptFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Extra:
    """Drawers that come from the run, once it has finished."""

    docs: tuple[Docs, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    files: tuple[Entry, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


def compose(content: Content, options: Options, extra: Extra | None = None) -> Collected:
    """Return the kit, without statements.

    Raises:
        SourceError: if files are missing that MLmodel names and a server is known to lose.
    """
    extra = extra or Extra()
    model, described = content.model, content.described
    is_first = options.recipe != RECIPE
    warnings = () if is_first else check_files(content.files, described, model.model_id)
    files, profile = normalise(content.files, options.normalise)
    code = () if is_first else _code(content, options)
    kitfile = Kitfile(
        model=_model(content, options, extra) if "model" in options.drawers else None,
        code=code,
        prompts=tuple(each.part() for each in content.prompts),
        docs=extra.docs,
        datasets=extra.datasets,
    )
    parts = [part.clean_path for part in kitfile.parts()]
    if not parts:
        wanted = ", ".join(sorted(options.drawers))
        raise SourceError(f"logged model {model.model_id!r} has nothing for the drawers {wanted}")
    everything = (*files, *(each.entry() for each in content.prompts), *extra.files)
    kept = tuple(each for each in everything if _is_in(each.path, parts))
    parents, doubts = find_parents(content.run, model)
    return Collected(
        tree=FileTree(kitfile=kitfile, files=kept),
        recipe=options.recipe,
        annotations=_annotations(content, options) | profile,
        parents=parents,
        created=datetime.fromtimestamp(model.creation_timestamp // 1000, UTC),
        origin=Origin(importer="mlflow", source=f"models:/{model.model_id}"),
        warnings=(*warnings, *doubts),
    )


def described_facts(content: Content) -> dict[str, Any]:
    """Return what MLmodel and requirements say, for the statement that people read."""
    found: dict[str, Any] = {}
    if content.described.signature:
        found["signature"] = dict(content.described.signature)
    entry = next((e for e in content.files if e.path == f"{FOLDER}/requirements.txt"), None)
    if entry is not None:
        text = read_small(entry, _REQUIREMENTS_LIMIT, "requirements.txt").decode(errors="replace")
        lines = [line.strip() for line in text.splitlines()]
        found["requirements"] = [content.redactor.text(each) for each in lines if each]
    return found


def _model(content: Content, options: Options, extra: Extra) -> Model:
    described, redactor = content.described, content.redactor
    params = {
        key: value
        for key, value in (content.model.params or {}).items()
        if not key.startswith(PREFIX)
    }
    model = Model(
        path=FOLDER,
        framework=described.framework,
        format=described.format,
        parameters=(redactor.mapping(params, "param") | extra.parameters) or None,
    )
    if options.recipe == RECIPE and not model.format:
        return replace(model, format=", ".join(_serialisation(content).formats))
    return model


def _code(content: Content, options: Options) -> tuple[Code, ...]:
    if "code" not in options.drawers:
        return ()
    paths = [f"{FOLDER}/{each}" for each in content.described.code]
    return tuple(
        Code(path=path, description="what the model imports")
        for path in paths
        if any(_is_in(each.path, [path]) for each in content.files)
    )


def _annotations(content: Content, options: Options) -> dict[str, str]:
    model, described = content.model, content.described
    found = {MODEL_ID: model.model_id}
    if model.source_run_id:
        found[RUN_ID] = model.source_run_id
    if described.mlflow_version:
        found[VERSION] = described.mlflow_version
    if options.recipe != RECIPE:
        return found
    serialisation = _serialisation(content)
    if serialisation.formats:
        found[SERIALISATION] = ", ".join(serialisation.formats)
    found[EXECUTES] = "true" if serialisation.executes else "false"
    if described.loader:
        found[LOADER] = described.loader
    return found


def _serialisation(content: Content) -> Serialisation:
    paths = [each.path.removeprefix(f"{FOLDER}/") for each in content.files]
    return find_serialisation(content.described, paths)


def _is_in(path: str, parts: list[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in parts)
