"""Push: a kit of the local store, or a folder, into a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError

from kitline_airflow.inputs import read_reference
from kitline_airflow.operators.pack import ModelKitPackOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class ModelKitPushOperator(ModelKitPackOperator):
    """Pushes what is given to a registry, and returns the pinned reference.

    Args:
        folder: A folder, packed straight into the registry.
        source: Instead: a kit of kitline's local store on this worker, or `oci:FOLDER:TAG`.
        to: The name in the registry; without one, that of `source` below the connection's registry.
    """

    template_fields: Sequence[str] = (*ModelKitPackOperator.template_fields, "source")

    def __init__(self, *, folder: str = "", source: Any = None, **kwargs: Any) -> None:
        super().__init__(folder=folder, **kwargs)
        self.source = source

    def call(self, errand: Errand) -> Any:
        if not self._has_source():
            return super().call(errand)
        import kitline

        return kitline.push(
            read_reference(self.source),
            self._target(errand),
            invocation=errand.invocation,
            move=self.move,
            settings=errand.settings,
            progress=errand.progress,
        )

    def words(self, errand: Errand) -> list[str]:
        if not self._has_source():
            return super().words(errand)
        target = self._target(errand)
        return [
            "push",
            read_reference(self.source),
            *([target] if target else []),
            *([] if self.move else ["--no-move"]),
        ]

    def _has_source(self) -> bool:
        if bool(self.folder) == bool(self.source):
            raise UsageError("give either 'folder' or 'source' to push")
        return bool(self.source)

    def _target(self, errand: Errand) -> str | None:
        return self.name(errand) if self.to or self.repository else None
