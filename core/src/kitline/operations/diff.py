"""Diff: what changed from one kit to another, down to files, parameters and metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kitline.frozen import dataclass
from kitline.kit.kit_config import to_json
from kitline.kit.load import load_kit
from kitline.kit.partitions import shared_paths
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores, read_reference
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kitline.kit.kitfile import Kitfile
    from kitline.kit.load import LoadedKit
    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.interface import Fetcher
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference: `kind` is `added`, `removed` or `changed`, `what` says of what sort.

    Files and layers are maps with `digest` and `size`, files with `mode` too.
    """

    kind: str
    what: str
    name: str
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the change as `--json` prints it."""
        return {
            "kind": self.kind,
            "what": self.what,
            "name": self.name,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """All changes from `left` to `right`; empty if both are the same kit in all that counts."""

    left: PinnedReference | LayoutReference
    right: PinnedReference | LayoutReference
    changes: tuple[Change, ...]

    def _repr_html_(self) -> str:
        from kitline.operations.html_table import html_table

        rows = [
            (each.kind, each.what, each.name, _plain(each.before), _plain(each.after))
            for each in self.changes
        ]
        return html_table(("", "", "name", str(self.left), str(self.right)), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "left": str(self.left),
            "right": str(self.right),
            "changes": [each.to_json() for each in self.changes],
        }


def _plain(value: Any) -> str:
    if isinstance(value, dict) and "digest" in value:
        return f"{value['digest'].partition(':')[2][:12]} ({value.get('size')} bytes)"
    return "" if value is None else str(value)


def diff(
    left: str | AnyReference,
    right: str | AnyReference,
    *,
    settings: Settings | None = None,
    files: bool = True,
    progress: Progress = SILENT,
) -> Difference:
    """Compare two kits. Layers with equal digests are not read; others are, file by file.

    With `files` false no layer is read, and layers are compared by their digests.
    """
    with Stores(settings_or_default(settings)) as stores:
        before = stores.find(read_reference(left))
        after = stores.find(read_reference(right))
        if before.manifest.digest == after.manifest.digest:
            return Difference(left=before.reference, right=after.reference, changes=())
        one = load_kit(before.store, before.manifest, name=str(before.asked))
        other = load_kit(after.store, after.manifest, name=str(after.asked))
        changes = [
            *_compare("description", _facts(one.kitfile), _facts(other.kitfile)),
            *_compare("parameter", _parameters(one.kitfile), _parameters(other.kitfile)),
            *_compare(
                "annotation", dict(one.manifest.annotations), dict(other.manifest.annotations)
            ),
        ]
        shared = _digests(one) & _digests(other)
        if files:
            changes += _compare(
                "file",
                _files(before.store, one, shared, progress),
                _files(after.store, other, shared, progress),
            )
        else:
            changes += _compare("layer", _layers(one), _layers(other))
        return Difference(left=before.reference, right=after.reference, changes=tuple(changes))


def _compare(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        sort = "metric" if what == "parameter" and "metric" in name else what
        old, new = before.get(name), after.get(name)
        if name not in before:
            yield Change(kind="added", what=sort, name=name, after=new)
        elif name not in after:
            yield Change(kind="removed", what=sort, name=name, before=old)
        elif old != new:
            yield Change(kind="changed", what=sort, name=name, before=old, after=new)


def _facts(kitfile: Kitfile) -> dict[str, Any]:
    """Return what a Kitfile says besides digests and parameters, flat."""
    model = kitfile.model
    plain = replace(
        kitfile,
        model=replace(model, parameters=None) if model else None,
        datasets=tuple(replace(each, parameters=None) for each in kitfile.datasets),
    )
    found = _flat(to_json(plain))
    return {k: v for k, v in found.items() if k.rpartition(".")[2] not in ("digest", "diffId")}


def _parameters(kitfile: Kitfile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if kitfile.model is not None and kitfile.model.parameters is not None:
        found |= _flat(kitfile.model.parameters, "model")
    names = _distinct([each.name or each.path for each in kitfile.datasets])
    for name, each in zip(names, kitfile.datasets, strict=True):
        if each.parameters is not None:
            found |= _flat(each.parameters, f"datasets.{name}")
    return found


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that are there before, in their order: `a`, `b`, `a (2)`."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested maps and lists as dotted names; empty ones say nothing and are left out."""
    if isinstance(value, dict):
        items = [(f"{prefix}.{key}" if prefix else key, item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{prefix}[{number}]", item) for number, item in enumerate(value)]
    else:
        return {prefix: value}
    return {name: leaf for key, item in items for name, leaf in _flat(item, key).items()}


def _digests(kit: LoadedKit) -> set[Digest]:
    return {layer.digest for _, layer in kit.layers}


def _layers(kit: LoadedKit) -> dict[str, dict[str, Any]]:
    shared = shared_paths([part for part, _ in kit.layers])
    names = _distinct(
        [
            f"{part.drawer}:{part.clean_path}"
            + (f"#{part.name}" if part.name and part.clean_path in shared else "")
            for part, _ in kit.layers
        ]
    )
    return {
        name: {"digest": str(layer.digest), "size": layer.size}
        for name, (_, layer) in zip(names, kit.layers, strict=True)
    }


def _files(
    store: Fetcher, kit: LoadedKit, shared: set[Digest], progress: Progress
) -> dict[str, dict[str, Any]]:
    """Return each file of the layers that the other kit does not have."""
    from kitline.kit.scan import scan_layer

    found = {}
    for part, layer in kit.layers:
        if layer.digest not in shared:
            for member in scan_layer(store, part, layer, progress=progress):
                found[member.path] = {
                    "digest": str(member.digest),
                    "size": member.size,
                    "mode": f"{member.mode:04o}",
                }
    return found
