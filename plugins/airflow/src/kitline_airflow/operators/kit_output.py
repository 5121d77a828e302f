"""KitOutput: operators that make a kit name it, and know what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import read_name
from kitline_airflow.operators.operator import ModelKitOperator
from kitline_airflow.parents import read_parents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class KitOutputOperator(ModelKitOperator):
    """Makes one kit.

    Args:
        to: The name of the kit, `registry/repository:tag`; a name without registry gets the
            connection's.
        repository: Instead: the repository, with `tag`.
        tag: The tag.
        parents: Kits that this one is made from: references, usually what tasks before this one
            returned, each with its role in front if it is not data: `base=reg/iris@sha256:…`. Kits
            that inlets with `modelkit://` stand for are added.
        move: Whether the tag may move from where it points now.
    """

    shared_fields: ClassVar[tuple[str, ...]] = (
        *ModelKitOperator.shared_fields,
        "to",
        "repository",
        "tag",
        "parents",
    )
    template_fields: Sequence[str] = shared_fields

    def __init__(
        self,
        *,
        to: str | None = None,
        repository: str | None = None,
        tag: str | None = None,
        parents: Any = (),
        move: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.repository = repository
        self.tag = tag
        self.parents = parents
        self.move = move

    def name(self, errand: Errand) -> str:
        """Return the name of the kit, with its registry."""
        return errand.locate(read_name(self.to, self.repository, self.tag))

    def made_from(self, errand: Errand) -> list[str]:
        """Return the parents, as `role=reference`."""
        found = read_parents(self.parents, errand.context, self.inlets, errand.locate)
        self._parents = found
        return found

    def inputs(self) -> tuple[str, ...]:
        return tuple(each.partition("=")[2] for each in getattr(self, "_parents", ()))
