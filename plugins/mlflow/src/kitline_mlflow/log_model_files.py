"""The files of a model that MLflow logs, kept on this disk until they are packed.

MLflow saves a model to a temporary folder, uploads that and removes it. A flavor's own `log_model`
is called here with a `Model` that moves the folder aside before it is removed, so that nothing is
saved twice or downloaded again. On an artifact store of this disk nothing is kept: the kit is
packed from the store.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import LockedFolder

from kitline_mlflow.remote.downloads import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mlflow.entities import LoggedModel
    from mlflow.models import Model
    from mlflow.models.model import ModelInfo

_SAVED = "model"


class KeptFiles:
    """The saved model while the block lasts: `folder`, or None if it is to be read in the store.

    `params` go onto the logged model when it is made. `replace` is called with the model's id and
    its saved files before MLflow uploads them, and answers whether it put others in their place.
    """

    def __init__(
        self,
        *,
        params: Mapping[str, str] | None = None,
        is_local: Callable[[str], bool],
        replace: Callable[[str, Path], bool] | None = None,
    ) -> None:
        self.params = dict(params or {})
        self.is_local = is_local
        self.replace = replace
        self.folder: Path | None = None
        self._root: LockedFolder | None = None

    def __enter__(self) -> KeptFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._root is not None:
            self._root.close()

    def take(self, saved: Path) -> None:
        """Move the saved model aside; where that would be a copy, leave it."""
        self._root = self._root or LockedFolder(PREFIX)  # what a kill leaves goes later
        target = self._root.path / _SAVED
        try:
            saved.rename(target)
        except OSError:  # another file system: the store is read instead
            return
        self.folder = target


def log_keeping(
    flavor: ModuleType, model: object, kept: KeptFiles, arguments: Mapping[str, Any]
) -> ModelInfo:
    """Call the flavor's `log_model`, or MLflow's with its `save_model`, and keep the files."""
    keeping = _keeping_model(kept)
    log_model = getattr(flavor, "log_model", None)
    if log_model is None:
        first = next(iter(inspect.signature(flavor.save_model).parameters))
        return _info(keeping.log(artifact_path=None, flavor=flavor, **{first: model}, **arguments))
    called = _with_model_class(log_model, keeping)
    if flavor.__name__ == "mlflow.pyfunc":
        return _info(called(python_model=model, **arguments))
    return _info(called(model, **arguments))


def _info(found: Any) -> ModelInfo:
    from mlflow.models.model import ModelInfo

    if not isinstance(found, ModelInfo) or found.model_id is None:
        raise SourceError("the flavor's log_model returned no ModelInfo of a logged model")
    return found


def _with_model_class(log_model: Callable[..., Any], keeping: type[Model]) -> Callable[..., Any]:
    """Return the function with another class under the name `Model`.

    Flavors end in `Model.log(…)`, as MLflow documents it. A function that does it in another way
    is called as it is; its files are then read in the artifact store.
    """
    inner = inspect.unwrap(log_model)
    if not isinstance(inner, FunctionType) or "Model" not in inner.__code__.co_names:
        return log_model
    own = FunctionType(
        inner.__code__,
        {**inner.__globals__, "Model": keeping},
        inner.__name__,
        inner.__defaults__,
        inner.__closure__,
    )
    own.__kwdefaults__ = inner.__kwdefaults__
    return functools.wraps(inner)(own)


def _keeping_model(kept: KeptFiles) -> type[Model]:
    from mlflow.models import Model

    class KeepingModel(Model):
        """MLflow's model; what it saved outlives its temporary folder."""

        @classmethod
        def log(cls, *args: Any, params: dict[str, Any] | None = None, **kwargs: Any) -> Any:
            both = {**(params or {}), **kept.params}
            return _without_traces(super().log)(*args, params=both, **kwargs)

        def save(self, path: str) -> None:
            super().save(path)
            self._saved = Path(path).parent  # names that begin with '_' stay out of MLmodel

        def get_serving_input(self, path: str) -> str | None:
            """Called by MLflow when the files are complete, before it uploads them."""
            if kept.replace is None:
                return super().get_serving_input(path)
            if kept.replace(str(self.model_id), Path(path)):
                self.flavors = Model.load(path).flavors
                return None  # nothing to try: what is uploaded is no longer the model
            return super().get_serving_input(path)

        def get_model_info(self, logged_model: LoggedModel | None = None) -> ModelInfo:
            """Called by MLflow when the files are uploaded, before it removes its folder."""
            takes = logged_model is not None and kept.replace is None
            if takes and not kept.is_local(str(self.artifact_path)):
                kept.take(self._saved)
            return super().get_model_info(logged_model)

    return KeepingModel


def _without_traces(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do what flavors do around their `log_model`: trying an input example is no trace."""
    try:
        from mlflow.tracing.provider import trace_disabled
    except ImportError:  # not promised by MLflow; without it an example may leave a trace
        return function
    return trace_disabled(function)
