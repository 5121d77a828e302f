"""Import: a tool's object becomes a kit, through any importer that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import pairs, repeated, texts_of
from kitline_airflow.operators.kit_output import KitOutputOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_airflow.errand import Errand


class ModelKitImportOperator(KitOutputOperator):
    """Imports what `source` names, such as `mlflow://runs/ID` or `dvc:data/train@v2`.

    Args:
        source: What to import; `kitline plugins` shows what can be.
        options: Options of the importer.
    """

    shared_fields: ClassVar[tuple[str, ...]] = (
        *KitOutputOperator.shared_fields,
        "source",
        "options",
    )
    template_fields: Sequence[str] = shared_fields

    def __init__(
        self, *, source: str = "", options: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.options = options

    def read_source(self) -> str:
        """Return the source; operators for one tool put it together here."""
        return str(self.source)

    def read_options(self) -> dict[str, str]:
        """Return the options as texts."""
        return texts_of(self.options)

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.import_(
            self.read_source(),
            self.name(errand),
            options=self.read_options(),
            parents=self.made_from(errand),
            invocation=errand.invocation,
            move=self.move,
            settings=errand.settings,
            progress=errand.progress,
            cancelled=lambda: errand.progress.is_cancelled,
        )

    def words(self, errand: Errand) -> list[str]:
        return [
            "import",
            self.read_source(),
            "--tag",
            self.name(errand),
            *pairs("--option", self.read_options()),
            *repeated("--parent", self.made_from(errand)),
            *([] if self.move else ["--no-move"]),
        ]
