"""Pull: a kit's files for the steps that need them, or the kit into the local store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from kitline.errors import UsageError

from kitline_airflow.inputs import repeated
from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand

_EXISTING = {"refuse": [], "replace": ["--overwrite"], "skip": ["--ignore-existing"]}


class ModelKitPullOperator(KitInputOperator):
    """Unpacks a kit into a folder of the worker, verified; XCom `folder` says where.

    Args:
        folder: Where to. Without one, the kit is pulled into kitline's local store.
        filters: What to unpack, such as `model` or `datasets:train`; everything by default.
        existing: What to do with files that are there: `replace` makes a retry safe.
    """

    template_fields: Sequence[str] = (*KitInputOperator.shared_fields, "folder", "filters")
    more_xcoms: ClassVar[tuple[str, ...]] = ("folder",)

    def __init__(
        self,
        *,
        folder: str | None = None,
        filters: list[str] | None = None,
        existing: str = "replace",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.filters = filters
        self.existing = existing
        if existing not in _EXISTING:
            raise ValueError(f"existing={existing!r} is none of {', '.join(_EXISTING)}")

    def call(self, errand: Errand) -> Any:
        import kitline

        if not self.folder:
            self._refuse_filters()
            return kitline.pull(
                self.kit(errand), settings=errand.settings, progress=errand.progress
            )
        return kitline.unpack(
            self.kit(errand),
            self.folder,
            filters=self.filters or (),
            existing=cast("Any", self.existing),  # checked when the task was made
            settings=errand.settings,
            progress=errand.progress,
        )

    def words(self, errand: Errand) -> list[str]:
        if not self.folder:
            self._refuse_filters()
            return ["pull", self.kit(errand)]
        return [
            "unpack",
            self.kit(errand),
            "--dir",
            str(self.folder),
            *repeated("--filter", list(self.filters or ())),
            *_EXISTING[self.existing],
        ]

    def _refuse_filters(self) -> None:
        if self.filters:
            raise UsageError("filters choose what is unpacked; give 'folder' too")
