"""Export: a kit becomes a tool's object, through any exporter that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import pairs, texts_of
from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_airflow.errand import Errand


class ModelKitExportOperator(KitInputOperator):
    """Exports a kit to `target`, such as `mlflow`; XCom `target` is the tool's name for it.

    Args:
        target: An exporter's name, with `:` and a place if it takes one.
        options: Options of the exporter.
    """

    template_fields: Sequence[str] = (*KitInputOperator.shared_fields, "target", "options")
    more_xcoms: ClassVar[tuple[str, ...]] = ("target", "existed")

    def __init__(
        self, *, target: str, options: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.options = options

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.export(
            self.kit(errand),
            self.target,
            options=texts_of(self.options),
            settings=errand.settings,
            progress=errand.progress,
            cancelled=lambda: errand.progress.is_cancelled,
        )

    def words(self, errand: Errand) -> list[str]:
        return [
            "export",
            self.kit(errand),
            self.target,
            *pairs("--option", texts_of(self.options)),
        ]
