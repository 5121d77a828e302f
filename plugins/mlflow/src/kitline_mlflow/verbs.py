"""The verbs: log a model to MLflow and a registry at once, or what was logged before.

One line to change: `mlflow.sklearn.log_model(model, name="iris")` becomes
`kitline_mlflow.log_model(model, name="iris", reference="reg.example/team/iris:v1")`.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from kitline.errors import UsageError

from kitline_mlflow.log_model_parents import given_parents
from kitline_mlflow.log_model_parts import Parts
from kitline_mlflow.log_model_reference import Place
from kitline_mlflow.registration import RegisterAs, Registration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from kitline_mlflow.log_model_info import ModelKitInfo
    from kitline_mlflow.log_model_landing import Landing
    from kitline_mlflow.log_model_parts import Paths


def log_model(
    model: object,
    *,
    name: str,
    reference: str | None = None,
    flavor: str | ModuleType = "auto",
    push: bool = True,
    registered_model_name: str | None = None,
    register_as: RegisterAs = "model",
    aliases: Iterable[str] = (),
    keep: Literal["both", "registry"] = "both",
    on_push_error: Literal["raise", "warn"] = "raise",
    datasets: Paths = (),
    code: Paths = (),
    docs: Paths = (),
    prompts: Any = (),
    parents: Iterable[object] = (),
    **flavor_kwargs: Any,
) -> ModelKitInfo:
    """Log a model as MLflow does, and pack the same files as a ModelKit.

    Args:
        model: The model, for whichever flavor of MLflow.
        name: The name of the logged model.
        reference: Where the kit goes; may hold `{experiment}`, `{run_id}` and `{name}`. Default:
            `$KITLINE_REGISTRY/<experiment>/<name>:<model id>`, in the local store if that is
            unset. Names are made lower case, and `-` stands for what is no letter or digit.
        flavor: `auto` (found by the model's type), a name such as `sklearn`, or a module.
        push: False packs into the local store, whatever the reference names.
        registered_model_name: Registers a version, after the kit has landed.
        register_as: What the version's source is: `model` (MLflow's own; loads with kitline gone),
            `modelkit` (the digest) or `pointer` (a model that holds the digest).
        aliases: Aliases of the version.
        keep: `registry` leaves only a pointer in MLflow: the weights are stored once.
        on_push_error: `warn` returns a value without digest if the kit did not land.
        datasets: Files and folders that go into the kit.
        code: As above.
        docs: As above.
        prompts: As above; texts such as `prompts:/name/1` are linked by MLflow.
        parents: Kits that the model was made from: digests, pinned references, or results.
        **flavor_kwargs: What the flavor's own `log_model` takes.

    Raises:
        UsageError: before anything is logged, if an argument is wrong.
        NotPushed: if the kit did not land. The model is READY, and the error names the command
            that goes on.
        WriteBackFailed: if the setting `write_back` is `require` and MLflow was not told.
    """
    from kitline_mlflow.log_model_steps import Logging

    linked, files = _split_prompts(prompts)
    parts = Parts.read(datasets=datasets, code=code, docs=docs, prompts=files)
    logging = Logging(
        landing=new_landing(
            Place(template=reference, push=push),
            parts,
            Registration.read(registered_model_name, register_as, aliases),
        ),
        run_id=flavor_kwargs.get("run_id"),
        keeps_weights=_is_first("keep", keep, ("both", "registry")),
    )
    raises = _is_first("on_push_error", on_push_error, ("raise", "warn"))
    arguments = {"name": name, **flavor_kwargs} | ({"prompts": linked} if linked else {})
    info = logging.log(model, flavor, arguments, given_parents(parents))
    logging.landing.finish(raises=raises)
    return info


def log_modelkit(
    *,
    run_id: str | None = None,
    model_id: str | None = None,
    model_uri: str | None = None,
    reference: str | None = None,
    push: bool = True,
    registered_model_name: str | None = None,
    register_as: RegisterAs = "model",
    aliases: Iterable[str] = (),
    on_push_error: Literal["raise", "warn"] = "raise",
    datasets: Paths = (),
    code: Paths = (),
    docs: Paths = (),
    prompts: Paths = (),
    options: Mapping[str, str] | None = None,
) -> ModelKitInfo:
    """Pack a model that MLflow has already, autologged ones included, as a ModelKit.

    Give one of `run_id` (a run with one model), `model_id` and `model_uri` (`runs:/…`,
    `models:/…`). `options` are those of `kitline import`; the others are as for `log_model`. With
    files for other drawers a new kit is made, even if the model has one.

    Raises:
        UsageError: if not exactly one source is given, or an argument is wrong.
        SourceError: if there is no such model, or it is not READY.
        NotPushed: if the kit did not land; the error names the command that goes on.
    """
    from kitline_mlflow.log_model_steps import pack_logged

    given = {"runs:/": run_id, "models:/": model_id, "": model_uri}
    sources = [f"{scheme}{text}" for scheme, text in given.items() if text is not None]
    if len(sources) != 1:
        raise UsageError("name one of run_id, model_id and model_uri")
    landing = new_landing(
        Place(template=reference, push=push),
        Parts.read(datasets=datasets, code=code, docs=docs, prompts=prompts),
        Registration.read(registered_model_name, register_as, aliases),
    )
    raises = _is_first("on_push_error", on_push_error, ("raise", "warn"))
    info = pack_logged(sources[0], landing, options or {})
    landing.finish(raises=raises)
    return info


def new_landing(place: Place, parts: Parts, registration: Registration) -> Landing:
    """Return the landing at the ambient server, with the user's settings."""
    from dataclasses import replace

    import kitline

    from kitline_mlflow.log_model_landing import Landing
    from kitline_mlflow.server import Server

    settings = kitline.Settings.load()
    return Landing(
        server=Server(),
        settings=settings,
        place=replace(place, registry=settings.registry),
        parts=parts,
        registration=registration,
    )


def _is_first(argument: str, value: str, known: tuple[str, str]) -> bool:
    if value not in known:
        raise UsageError(f"{argument} is {value!r}, neither {known[0]!r} nor {known[1]!r}")
    return value == known[0]


def _split_prompts(given: Any) -> tuple[list[Any], list[Any]]:
    """Tell prompts of MLflow from files: addresses and prompt versions are linked by MLflow."""
    listed = [given] if isinstance(given, str | PathLike) or hasattr(given, "uri") else list(given)
    linked = [each for each in listed if hasattr(each, "uri") or _is_prompt_address(each)]
    return linked, [each for each in listed if each not in linked]


def _is_prompt_address(given: object) -> bool:
    return isinstance(given, str) and given.startswith("prompts:/")
