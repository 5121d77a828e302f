"""The steps of `log_model`: MLflow logs, the kit is packed from the same files, MLflow is told."""

from __future__ import annotations

import inspect
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin import ImportContext

from kitline_mlflow.files import find_files, open_files
from kitline_mlflow.flavor_choice import choose_flavor
from kitline_mlflow.importer import MODEL_ID, RUN_ID, collect, describe
from kitline_mlflow.log_model_files import KeptFiles, log_keeping
from kitline_mlflow.parents import find_parents, parents_param
from kitline_mlflow.pointer import small_entries, write_pointer
from kitline_mlflow.tags import PARENTS_PARAM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from kitline.plugin import Entry, Parent

    from kitline_mlflow.log_model_info import ModelKitInfo
    from kitline_mlflow.log_model_landing import Landing

_OURS = ("artifact_path", "model", "registered_model_name")


@dataclass(kw_only=True)
class Logging:
    """One call of `log_model`."""

    landing: Landing
    run_id: str | None = None
    """The run of the model; the active one by default."""
    keeps_weights: bool = True
    """False leaves a pointer in MLflow."""
    inner: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import mlflow

        active = mlflow.active_run()
        if self.run_id is None and active is not None:
            self.run_id = active.info.run_id

    def log(
        self,
        model: object,
        flavor: str | ModuleType,
        arguments: Mapping[str, Any],
        parents: tuple[Parent, ...],
    ) -> ModelKitInfo:
        """Log, pack, push, tag and register; what fails after logging is kept in the landing."""
        from kitline_mlflow.log_model_info import ModelKitInfo

        module = choose_flavor(model, flavor)
        check_arguments(module, arguments)
        self.landing.place.check(has_run=self.run_id is not None)
        with KeptFiles(
            params={PARENTS_PARAM: parents_param(self._all_parents(parents))},
            is_local=self._is_local,
            replace=None if self.keeps_weights else self._replace,
        ) as kept:
            info = ModelKitInfo.of(log_keeping(module, model, kept, arguments))
            model_id = str(info.model_id)
            if self.keeps_weights:
                self._land(model_id, find_files(kept.folder) if kept.folder else None)
            return self.landing.register(info, self.inner)

    def _land(self, model_id: str, files: tuple[Entry, ...] | None) -> bool:
        """Pack a model from its saved files, or from the artifact store of MLflow."""
        server = self.landing.server
        try:
            model = server.client.get_logged_model(model_id)
            run = server.get_run(self.run_id) if self.run_id is not None else None
            if files is None:
                files, _ = open_files(server.open_artifacts(str(model.artifact_location)))
            self.inner = small_entries(files)
            collected = describe(server, model, files, run=run)
        except Exception as cause:  # a server that fails after it has taken the model
            self.landing.fail(f"models:/{model_id}", cause)
            return False
        return self.landing.land(collected, model)

    def _replace(self, model_id: str, saved: Path) -> bool:
        """Leave a pointer where the model was saved, once the kit has landed."""
        if not self._land(model_id, find_files(saved)):
            return False
        model = self.landing.server.client.get_logged_model(model_id)
        ids = {"artifact_path": model.artifact_location, "model_id": model_id}
        ids |= {"model_uuid": model_id} | ({"run_id": self.run_id} if self.run_id else {})
        shutil.rmtree(saved)
        write_pointer(saved, self.landing.pinned, self.inner, ids=ids)
        return True

    def _all_parents(self, given: tuple[Parent, ...]) -> tuple[Parent, ...]:
        """Return what was given, what the run loaded, and what its inputs say by now."""
        from kitline_mlflow.load import used_kits

        run = self.landing.server.get_run(self.run_id) if self.run_id is not None else None
        stamped, _ = find_parents(run)
        known = {(each.digest, each.role): each for each in (*stamped, *used_kits(self.run_id))}
        return tuple({**known, **{(each.digest, each.role): each for each in given}}.values())

    def _is_local(self, location: str) -> bool:
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        return isinstance(self.landing.server.open_artifacts(location), LocalArtifactRepository)


def pack_logged(source: str, landing: Landing, options: Mapping[str, str]) -> ModelKitInfo:
    """Pack what MLflow has already; the model's files are read where they lie."""
    import mlflow

    from kitline_mlflow.log_model_info import ModelKitInfo

    active = mlflow.active_run()
    if active is not None and source == f"runs:/{active.info.run_id}":
        options = {"allow-unfinished": "true", **options}  # the model is READY, that is enough
    options = {"tracking_uri": landing.server.uri, **options}
    collected = collect(source, options, ImportContext())
    model_id = collected.annotations.get(MODEL_ID)
    if model_id is None:
        raise UsageError(f"{source!r} has no logged model; use 'kitline import'")
    landing.place.check(has_run=RUN_ID in collected.annotations)
    files = tuple(each for each in collected.tree.entries() if not each.is_folder)
    info = ModelKitInfo.of(mlflow.models.get_model_info(f"models:/{model_id}"))
    model = landing.server.client.get_logged_model(model_id)
    is_known = bool(collected.known) and not landing.parts
    landing.land(collected, model, known_as=(source, options) if is_known else None)
    return landing.register(info, small_entries(files))


def check_arguments(flavor: ModuleType, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that the flavor does not take, before it leaves a FAILED model behind.

    Raises:
        UsageError: naming the argument.
    """
    from mlflow.models import Model

    for name in arguments:
        if name in _OURS:
            raise UsageError(f"log_model takes no {name!r}; the first argument is the model")
    known = {"flavor_name"}
    for function in (getattr(flavor, "log_model", None), flavor.save_model, Model.log):
        parameters = inspect.signature(function).parameters if function is not None else {}
        known |= set(parameters)
        is_open = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        if is_open and function is flavor.save_model:
            return  # the flavor decides
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise UsageError(
            f"the flavor {flavor.__name__!r} takes no argument {', '.join(map(repr, unknown))}"
        )
