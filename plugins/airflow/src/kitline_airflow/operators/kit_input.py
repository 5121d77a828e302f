"""KitInput: operators that read a kit take it as a reference, or as repository and digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import read_reference
from kitline_airflow.operators.operator import ModelKitOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class KitInputOperator(ModelKitOperator):
    """Reads one kit.

    Args:
        reference: What a task before this one returned: a pinned reference. A tag is taken too and
            resolved once; a name without registry gets the connection's.
        repository: Instead: the repository, with `digest`.
        digest: The digest of the kit.
    """

    shared_fields: ClassVar[tuple[str, ...]] = (
        *ModelKitOperator.shared_fields,
        "reference",
        "repository",
        "digest",
    )
    template_fields: Sequence[str] = shared_fields

    def __init__(
        self,
        *,
        reference: Any = None,
        repository: str | None = None,
        digest: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reference = reference
        self.repository = repository
        self.digest = digest

    def kit(self, errand: Errand) -> str:
        """Return the reference of the kit, with its registry."""
        found = errand.locate(read_reference(self.reference, self.repository, self.digest))
        self._read = found
        return found

    def inputs(self) -> tuple[str, ...]:
        found = getattr(self, "_read", None)
        return (found,) if found and "@" in found else ()
