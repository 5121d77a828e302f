"""Datasets: which entries of a kit belong together, and which of them are meant.

Partitions of one dataset are entries of their own; they are one dataset to DVC. A model that came
from DVC is data to it like any other.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError, UsageError
from kitline.plugin import kit_layers

from kitline_dvc.listing import is_inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.plugin import Dataset, Digest, Kit, KitPart, Model

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class KitDataset:
    """A dataset of a kit, whole or in partitions."""

    name: str
    path: str
    """Where it lies in the kit, clean: a file, a folder, or `.`."""
    fields: frozenset[str]
    """The Kitfile's entries, such as `datasets[0]`."""
    layers: tuple[Digest, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the Kitfile says of it under `dvc`; a claim of whoever packed it."""

    @property
    def claimed_md5(self) -> str | None:
        """DVC's md5 of the whole, as the kit says."""
        found = self.parameters.get("md5")
        return found if isinstance(found, str) else None

    @property
    def is_reference(self) -> bool:
        """Whether the kit holds a list of files instead of the files."""
        return self.parameters.get("data") == "reference"

    def holds(self, part: KitPart) -> bool:
        """Tell whether an entry of the Kitfile belongs to it."""
        return part.field in self.fields


def kit_datasets(kit: Kit) -> tuple[KitDataset, ...]:
    """Return the datasets that lie in a kit, in the Kitfile's order."""
    model = dvc_parameters(kit.kitfile.model)
    groups: dict[str, list[tuple[KitPart, Mapping[str, Any], Digest]]] = {}
    for part, layer in kit_layers(kit):
        if part.drawer == "datasets":
            told = dvc_parameters(kit.kitfile.datasets[part.index])
        elif part.drawer == "model" and model:
            told = model if part.field == "model" else {}
        else:
            continue
        groups.setdefault(_whole(part, told), []).append((part, told, layer.digest))
    return tuple(
        KitDataset(
            name=found[0][0].name or path if len(found) == 1 else posixpath.basename(path),
            path=path,
            fields=frozenset(part.field for part, _, _ in found),
            layers=tuple(dict.fromkeys(digest for _, _, digest in found)),
            parameters=found[0][1],
        )
        for path, found in groups.items()
    )


def choose_datasets(kit: Kit, wanted: str | None) -> tuple[KitDataset, ...]:
    """Return the datasets that `wanted` names, by name or path; `all` of them; or the only one.

    Raises:
        SourceError: if the kit has no dataset, or none of that name.
        UsageError: if it has several and nothing says which.
    """
    found = kit_datasets(kit)
    if not found:
        raise SourceError(
            f"{kit.reference} holds no dataset, and DVC takes data;"
            " 'kitline unpack' unpacks other drawers"
        )
    if wanted == ALL or (wanted is None and len(found) == 1):
        return found
    if wanted is None:
        raise UsageError(
            f"{kit.reference} holds {len(found)} datasets: {_names(found)};"
            f" name one with dataset=NAME, or dataset={ALL}"
        )
    chosen = tuple(each for each in found if wanted in (each.name, each.path))
    if not chosen:
        raise SourceError(f"{kit.reference} holds no dataset {wanted!r}; it holds {_names(found)}")
    return chosen


def dvc_parameters(entry: Dataset | Model | None) -> Mapping[str, Any]:
    """Return what a Kitfile's entry says of DVC; empty if it says nothing."""
    parameters = entry.parameters if entry and isinstance(entry.parameters, dict) else {}
    found = parameters.get("dvc")
    return found if isinstance(found, dict) else {}


def _whole(part: KitPart, told: Mapping[str, Any]) -> str:
    """Return the path of the dataset that an entry is, or is a partition of, or refers to."""
    whole, own = told.get("path"), part.clean_path
    if not isinstance(whole, str) or not is_inside(whole):
        return own
    is_its = own == whole or own.startswith(f"{whole}/")
    return whole if is_its or told.get("data") == "reference" else own


def _names(found: Sequence[KitDataset]) -> str:
    shown = [repr(each.name) for each in found[:10]]
    return ", ".join(shown) + (" and more" if len(found) > 10 else "")
