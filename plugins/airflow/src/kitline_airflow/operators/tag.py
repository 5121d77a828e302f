"""Tag: one more name for a kit; nothing is packed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class ModelKitTagOperator(KitInputOperator):
    """Points `tag` at a kit of the same repository. For stages use `ModelKitPromoteOperator`.

    Args:
        tag: The tag.
        move: Whether it may move from where it points now.
    """

    template_fields: Sequence[str] = (*KitInputOperator.shared_fields, "tag")
    more_xcoms: ClassVar[tuple[str, ...]] = ("tag", "previous")

    def __init__(self, *, tag: str, move: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag = tag
        self.move = move

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.tag(self.kit(errand), self.tag, move=self.move, settings=errand.settings)

    def words(self, errand: Errand) -> list[str]:
        return ["tag", self.kit(errand), self.tag, *([] if self.move else ["--no-move"])]
