"""Outlines: what a kit holds and where its model lies, from manifests and configs alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import kitline
from kitline.plugin import Digest, Reference

from kitline_mlflow.manifest_parents import manifest_parents
from kitline_mlflow.policy import check_base

if TYPE_CHECKING:
    from typing import Any

    from kitline import Settings

_LONGEST_CHAIN = 8
"""Kits whose model lies in another kit, whose model lies in another kit…"""
_BASE = "base"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One entry of a kit; `size` is its layer's, in bytes."""

    drawer: str
    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class KitOutline:
    """What a kit holds, without its layers."""

    parts: tuple[Part, ...]
    model: str | None
    """Path of the model in the unpacked tree; None without model."""
    bases: tuple[str, ...] = ()
    """Pinned references of the kits that its model is taken from; the last one holds it."""
    base_parts: tuple[Part, ...] = ()
    """Entries of the last base."""

    @classmethod
    def of(cls, reference: Reference, settings: Settings) -> KitOutline:
        """Read a kit's manifest and config, and those of its bases.

        Raises:
            NotFound: if there is no such kit.
            NotAModelKit: if it is something else.
        """
        kit = kitline.inspect(reference, settings=settings, referrers=False).kit
        parts = _parts(kit)
        bases: list[str] = []
        for _ in range(_LONGEST_CHAIN):
            model = kit.kitfile.model
            if model is None or not model.is_remote:
                break
            check_base(model.path)
            found = kitline.inspect(_base_of(kit), settings=settings, referrers=False)
            bases.append(str(found.reference))
            kit = found.kit
        main = next((part for part, _ in kit.layers if part.field == "model"), None)
        return cls(
            parts=parts,
            model=None if main is None else main.clean_path,
            bases=tuple(bases),
            base_parts=_parts(kit) if bases else (),
        )

    @classmethod
    def from_json(cls, text: str) -> KitOutline | None:
        """Read what `to_json` wrote; None if it is damaged."""
        try:
            found = json.loads(text)
            return cls(
                parts=tuple(Part(**each) for each in found["parts"]),
                model=found["model"],
                bases=tuple(found["bases"]),
                base_parts=tuple(Part(**each) for each in found["base_parts"]),
            )
        except (ValueError, TypeError, KeyError):
            return None

    def to_json(self) -> str:
        """Return the outline as text."""
        return json.dumps(asdict(self))


def _parts(kit: Any) -> tuple[Part, ...]:
    return tuple(
        Part(drawer=part.drawer, path=part.clean_path, size=layer.size)
        for part, layer in kit.layers
    )


def _base_of(kit: Any) -> str | Reference:
    """Return the kit that `model.path` meant when this one was packed, wherever its tag is now."""
    path: str = kit.kitfile.model.path
    pinned = [
        digest for digest, role in manifest_parents(kit.manifest.annotations) if role == _BASE
    ]
    if len(pinned) != 1:
        return path
    return Reference.parse(path).pin(Digest(pinned[0]))
