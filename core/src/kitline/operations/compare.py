"""Compare: two kits side by side, with what was said of them since they were made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.frozen import dataclass
from kitline.kit.load import load_kit
from kitline.operations.compare_facts import find_metrics, find_parameters, find_said
from kitline.operations.defaults import settings_or_default
from kitline.operations.diff import diff
from kitline.operations.html_table import html_table
from kitline.operations.lineage.parents import read_parents
from kitline.operations.stores import Stores, find_manifest, read_reference, read_repository
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.progress import Progress
    from kitline.trust.authority import Authority

SECTIONS = ("parameter", "metric", "data", "file", "layer")
"""What is compared, in this order."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing of both kits; None where a kit lacks it."""

    section: str
    name: str
    left: Any
    right: Any

    @property
    def differs(self) -> bool:
        """Whether the kits are not alike in this."""
        return bool(self.left != self.right)

    @property
    def change(self) -> float | None:
        """How much a metric grew from left to right; None for anything else."""
        if self.section != "metric" or not _is_number(self.left) or not _is_number(self.right):
            return None
        return float(self.right) - float(self.left)

    def to_json(self) -> dict[str, Any]:
        """Return the row as `--json` prints it."""
        shown = {"section": self.section, "name": self.name, "left": self.left, "right": self.right}
        return {**shown, "differs": self.differs, "change": self.change}


_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two kits side by side."""

    left: PinnedReference | LayoutReference
    right: PinnedReference | LayoutReference
    left_name: str
    """The name that was asked for."""
    right_name: str
    rows: tuple[Row, ...]
    """Parameters, metrics and data all, files only if they differ."""

    def section(self, name: str) -> tuple[Row, ...]:
        """Return the rows of one section."""
        return tuple(each for each in self.rows if each.section == name)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as `--json` prints it."""
        return {
            "left": {"name": self.left_name, "reference": str(self.left)},
            "right": {"name": self.right_name, "reference": str(self.right)},
            "rows": [each.to_json() for each in self.rows],
        }

    def _repr_html_(self) -> str:
        rows = [
            (each.section, each.name, shown(each.left), shown(each.right), mark(each))
            for each in self.rows
        ]
        names = [_DIGEST.sub(r"\1…", name) for name in (self.left_name, self.right_name)]
        return html_table(("", "", *names, ""), rows)


def compare(
    left: str | AnyReference,
    right: str | AnyReference,
    *,
    repository: str | None = None,
    files: bool = True,
    key: str | None = None,
    settings: Settings | None = None,
    progress: Progress = SILENT,
) -> Comparison:
    """Show parameters, metrics, data and files of two kits side by side.

    Metrics are those of evaluations, else those of the run that made a kit; what statements say is
    a claim, unless a public `key` chooses what its owner signed.

    Args:
        left: A kit.
        right: Another one; a bare word such as `challenger` is a tag beside `left`.
        repository: Where both are bare words, the repository of these tags.
        files: Read layers that differ, and compare them file by file; else by their digests.
        key: Public key.
        settings: By default those of files and environment.
        progress: Told of layers that are read.

    Raises:
        NotFound: if there is no such kit.
    """
    settings = settings_or_default(settings)
    one, other = _read_pair(left, right, repository)
    with Stores(settings) as stores:
        authority = _authority(key)
        sides = [_read(stores, one, authority), _read(stores, other, authority)]
    rows = [
        *_rows("parameter", sides[0].parameters, sides[1].parameters),
        *_rows("metric", sides[0].metrics, sides[1].metrics),
        *_rows("data", sides[0].data, sides[1].data),
    ]
    found = diff(
        sides[0].reference, sides[1].reference, files=files, settings=settings, progress=progress
    )
    rows += [
        Row(section=each.what, name=each.name, left=each.before, right=each.after)
        for each in found.changes
        if each.what in ("file", "layer")
    ]
    return Comparison(
        left=sides[0].reference,
        right=sides[1].reference,
        left_name=str(one),
        right_name=str(other),
        rows=tuple(rows),
    )


@dataclass(frozen=True, kw_only=True)
class _Side:
    reference: PinnedReference | LayoutReference
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    data: Mapping[str, str]


def _read(stores: Stores, asked: AnyReference, authority: Authority | None) -> _Side:
    """Read one kit where its name says: what is said of it may not have been pulled."""
    store = stores.open(asked)
    manifest = find_manifest(store, asked)
    kit = load_kit(store, manifest, name=str(asked))
    said = find_said(store, kit.manifest.digest, authority)
    data: dict[str, list[str]] = {}
    for parent in read_parents(kit.manifest):
        data.setdefault(parent.role or "parent", []).append(str(parent.digest))
    return _Side(
        reference=store.pin(kit.manifest.digest),
        parameters=find_parameters(kit.kitfile, said),
        metrics={
            name: values[0] if len(values) == 1 else list(values)
            for name, values in find_metrics(said).items()
        },
        data={role: ", ".join(sorted(digests)) for role, digests in data.items()},
    )


def _read_pair(
    left: str | AnyReference, right: str | AnyReference, repository: str | None
) -> tuple[AnyReference, AnyReference]:
    if repository is not None:
        place = read_repository(repository)
        return _beside(place, left), _beside(place, right)
    one = read_reference(left)
    if one.tag is None and one.digest is None and not str(one).startswith("oci"):
        raise UsageError(
            f"{str(one)!r} names no kit; write 'REPO:{one}', or name the repository of both with"
            " --repository"
        )
    return one, _beside(one, right)


def _beside(place: AnyReference, text: str | AnyReference) -> AnyReference:
    """Read a name; a bare word is a tag in the same repository."""
    from kitline.oci.reference import is_tag

    if isinstance(text, str) and is_tag(text):
        return place.with_tag(text)
    return read_reference(text)


def _authority(key: str | None) -> Authority | None:
    if key is None:
        return None
    from kitline.operations.verify import read_authority

    return read_authority(key)


def _rows(section: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name in _names(left, right):
        yield Row(section=section, name=name, left=left.get(name), right=right.get(name))


def _names(left: Iterable[str], right: Iterable[str]) -> list[str]:
    return sorted({*left, *right})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """Return a value as people read it: numbers plain, digests short."""
    if value is None:
        return "–"
    if isinstance(value, dict) and "digest" in value:
        return f"{value['digest'].partition(':')[2][:12]} ({value.get('size', '?')} B)"
    if isinstance(value, str):
        return value.replace("sha256:", "")[:12] if value.startswith("sha256:") else value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def mark(row: Row) -> str:
    """Return how the sides differ: `+0.02` for metrics, `≠` for the rest, nothing if alike."""
    if not row.differs:
        return ""
    change = row.change
    return "≠" if change is None else f"{change:+g}"
