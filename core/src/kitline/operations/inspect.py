"""Inspect: everything that a kit says of itself and that others say of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.kit.kit_config import to_json as kitfile_json
from kitline.kit.load import load_kit
from kitline.oci import media_types
from kitline.operations.defaults import settings_or_default
from kitline.operations.statements import find_statements
from kitline.operations.stores import Stores, read_reference
from kitline.trust.statement import SIZE_LIMIT

if TYPE_CHECKING:
    from kitline.kit.load import LoadedKit
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.statements import AttachedStatement
    from kitline.operations.stores import AnyReference

_SHORT = 64 << 10
"""What a statement may measure, in bytes, to be read without being asked for."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A kit laid open; `str()` of it is the pinned reference."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    kit: LoadedKit
    referrers: tuple[Descriptor, ...]
    statements: tuple[AttachedStatement, ...] = ()
    """What is said of the kit in statements; a large predicate only if it was asked for."""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    @property
    def parents(self) -> list[dict[str, str]]:
        """The kits that this one was made from: digest and role."""
        return read_parents(self.kit.manifest.annotations.get(media_types.PARENTS, ""))

    @property
    def by_reference(self) -> dict[str, str]:
        """Layers that only list their data, by path, with the algorithm that checks it: `md5`."""
        return read_by_reference(self.kit.manifest.annotations.get(media_types.BY_REFERENCE, ""))

    def _repr_html_(self) -> str:
        from kitline.operations.html_table import html_card, html_table

        kitfile = self.kit.kitfile
        title = kitfile.package.name or (kitfile.model.name if kitfile.model else "") or "kit"
        card = html_card(
            title,
            [
                ("kit", self.reference),
                ("version", kitfile.package.version),
                ("description", kitfile.package.description),
                ("made from", ", ".join(f"{e['role']} {e['digest'][:19]}" for e in self.parents)),
                ("attached", "; ".join(each.summary for each in self.statements)),
                ("warnings", "; ".join(self.warnings)),
            ],
        )
        rows = [
            (part.drawer, part.clean_path, layer.size, layer.digest.hex[:12])
            for part, layer in self.kit.layers
        ]
        return card + html_table(("drawer", "path", "bytes", "digest"), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it; `manifest` is the exact document."""
        by_reference = self.by_reference
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "manifest": json.loads(self.kit.manifest.raw),
            "kitfile": kitfile_json(self.kit.kitfile),
            "layers": [
                {
                    "path": part.clean_path,
                    "type": part.drawer,
                    "name": part.name,
                    "digest": str(layer.digest),
                    "size": layer.size,
                    "mediaType": layer.media_type,
                    **_by_reference(by_reference, part.clean_path),
                }
                for part, layer in self.kit.layers
            ],
            "parents": self.parents,
            "referrers": [each.to_json() for each in self.referrers],
            "statements": [each.to_json() for each in self.statements],
            "warnings": list(self.warnings),
        }


def inspect(
    source: str | AnyReference,
    *,
    settings: Settings | None = None,
    referrers: bool = True,
    statements: bool = False,
) -> Inspection:
    """Lay a kit open without reading its layers.

    With `statements`, all that statements say is read, however large; else what is below 64 KiB.
    """
    with Stores(settings_or_default(settings)) as stores:
        found = stores.find(read_reference(source))
        kit = load_kit(found.store, found.manifest, name=str(found.asked))
        listed = found.store.list_referrers(kit.manifest.digest) if referrers else ()
        said, warnings = find_statements(
            found.store,
            kit.manifest.digest,
            listed=listed,
            limit=SIZE_LIMIT if statements else _SHORT,
            keep_larger=True,
        )
        return Inspection(
            reference=found.store.pin(kit.manifest.digest)
            if kit.manifest.digest != found.manifest.digest
            else found.reference,
            digest=kit.manifest.digest,
            kit=kit,
            referrers=tuple(listed),
            statements=tuple(said),
            warnings=tuple(warnings),
        )


def read_by_reference(text: str) -> dict[str, str]:
    """Read the annotation of data that lies elsewhere; what is malformed counts as absent."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {path: algorithm for path, algorithm in pairs if isinstance(algorithm, str)}


def _by_reference(known: dict[str, str], path: str) -> dict[str, str]:
    return {"byReference": known[path]} if path in known else {}


def read_parents(text: str) -> list[dict[str, str]]:
    """Read the parents annotation; what is malformed counts as absent."""
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else []
    return [
        {"digest": str(each["digest"]), "role": str(each.get("role", ""))}
        for each in listed
        if isinstance(each, dict) and "digest" in each
    ]
