"""Pack: a folder on the worker becomes a kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline_airflow.inputs import repeated
from kitline_airflow.operators.kit_output import KitOutputOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class ModelKitPackOperator(KitOutputOperator):
    """Packs a folder as the kit `to`; with a registry in name or connection, straight there.

    Args:
        folder: The folder; its Kitfile says what is what, else one is derived.
        kitfile: Another Kitfile.
    """

    template_fields: Sequence[str] = (*KitOutputOperator.shared_fields, "folder", "kitfile")

    def __init__(self, *, folder: str, kitfile: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.kitfile = kitfile

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.pack(
            self.folder,
            self.name(errand),
            kitfile=self.kitfile,
            parents=self.made_from(errand),
            invocation=errand.invocation,
            move=self.move,
            settings=errand.settings,
            progress=errand.progress,
        )

    def words(self, errand: Errand) -> list[str]:
        return [
            "pack",
            str(self.folder),
            "--tag",
            self.name(errand),
            *(["--file", str(self.kitfile)] if self.kitfile else []),
            *repeated("--parent", self.made_from(errand)),
            *([] if self.move else ["--no-move"]),
        ]
