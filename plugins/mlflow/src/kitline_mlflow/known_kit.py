"""Kits that exist already, as MLflow remembers them: import need not make them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kitline.errors import InvalidReference, SourceError
from kitline.plugin import Collected, Kitfile, Origin, PinnedReference

from kitline_mlflow.options import RECIPE
from kitline_mlflow.tags import REFERENCE
from kitline_mlflow.uri import ModelkitURI

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.plugin import Entry
    from mlflow.entities import LoggedModel

    from kitline_mlflow.server import Server


def kit_of_model(model: LoggedModel) -> tuple[PinnedReference, ...]:
    """Return the kit that the model's tags say it has; whether that is so, the registry knows."""
    text = (model.tags or {}).get(REFERENCE, "")
    try:
        return (PinnedReference.parse(text),) if text else ()
    except InvalidReference:  # a tag may say anything, and a layout on disk is no reference
        return ()


def pointed_kit(reference: str, model: LoggedModel, server: Server) -> Collected:
    """Return the kit that a pointer model stands for."""
    what = f"logged model {model.model_id!r} is a pointer to the kit {reference!r}"
    return _existing(reference, what, f"models:/{model.model_id}", server)


def kit_of_address(address: str, server: Server) -> Collected:
    """Return the kit that a version's `modelkit://` source names."""
    found = ModelkitURI.parse(address).reference
    return _existing(str(found), f"the version's source is the kit {str(found)!r}", address, server)


def _existing(reference: str, what: str, source: str, server: Server) -> Collected:
    try:
        pinned = PinnedReference.parse(reference)
    except InvalidReference as cause:
        raise SourceError(f"{what}, which is no pinned reference: {cause}") from cause
    return Collected(
        tree=_Elsewhere(what=what),
        recipe=RECIPE,
        origin=Origin(importer="mlflow", source=source, server=server.name),
        known=(pinned,),
    )


@dataclass(frozen=True, kw_only=True)
class _Elsewhere:
    """The content of a kit that MLflow does not hold: it can be copied, and not made again."""

    what: str
    warnings: Sequence[str] = field(default=())

    @property
    def kitfile(self) -> Kitfile:
        raise self._missing()

    def entries(self) -> Iterable[Entry]:
        raise self._missing()

    def _missing(self) -> SourceError:
        return SourceError(
            f"{self.what}, which is not there or cannot be read, or is not to be answered because"
            " of '-o again=true'; MLflow has no other files of it"
        )
