"""The lineage of a kit as a frozen graph: kits, what was made from what, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from kitline.errors import UsageError
from kitline.lineage.index import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.oci.digest import Digest

FORMATS = ("text", "json", "mermaid", "dot", "openlineage", "html")


class Node(NamedTuple):
    """A kit; one that was not found anywhere is `missing`, and only its digest is known.

    A tuple, as edges are: there may be tens of thousands in one answer.
    """

    digest: Digest
    type: str = ""
    """`model`, `dataset`, …; empty if the kit was not read."""
    name: str = ""
    version: str = ""
    created: str = ""
    places: tuple[str, ...] = ()
    """Repositories where it lies."""
    tags: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    """Stages whose tags point at it, as `repository:stage`."""
    runs: tuple[str, ...] = ()
    """Runs that made or pushed it: system, id and time, as its provenance claims."""
    marks: tuple[str, ...] = ()
    """`revoked: …` and classifications, as statements about it claim."""
    inherited: tuple[str, ...] = ()
    """Revocations of kits that it was made from."""
    is_missing: bool = False

    @property
    def reference(self) -> str | None:
        """A pinned reference; None if nobody knows where it lies."""
        return f"{self.places[0]}@{self.digest}" if self.places else None

    @property
    def title(self) -> str:
        """What people call it: name and version, else repository and tag, else digest."""
        named = f"{self.name} {self.version}".strip()
        if named:
            return named
        if self.places:
            return self.places[0] + (f":{self.tags[0]}" if self.tags else "")
        return self.short

    @property
    def short(self) -> str:
        """The first digits of the digest."""
        return f"sha256:{self.digest.hex[:12]}"

    def to_json(self) -> dict[str, Any]:
        """Return the kit as `--json` prints it."""
        return {
            "digest": str(self.digest),
            "reference": self.reference,
            "type": self.type,
            "name": self.name,
            "version": self.version,
            "created": self.created or None,
            "places": list(self.places),
            "tags": list(self.tags),
            "stages": list(self.stages),
            "runs": list(self.runs),
            "marks": list(self.marks),
            "inheritedMarks": list(self.inherited),
            "missing": self.is_missing,
        }


class Edge(NamedTuple):
    """A kit was made from another one."""

    child: Digest
    parent: Digest
    role: str = ""
    sources: tuple[str, ...] = ()
    """Who says so: the kit's `manifest`, which cannot be changed; a `statement`; an edge
    (`derived`) beside the parent."""

    @property
    def is_claim(self) -> bool:
        """Whether only others say so: anybody who may write there can."""
        return MANIFEST not in self.sources

    def to_json(self) -> dict[str, Any]:
        """Return the edge as `--json` prints it."""
        return {
            "child": str(self.child),
            "parent": str(self.parent),
            "role": self.role,
            "sources": list(self.sources),
        }


@dataclass(frozen=True, order=True, kw_only=True, slots=True)
class Source:
    """A repository that an answer rests on."""

    repository: str
    how: str
    """`index`, `live`, or `refused` if it could not be read."""
    read_at: str | None = None
    """When it was read for the index."""
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "repository": self.repository,
            "how": self.how,
            "readAt": self.read_at,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What a kit was made from and what was made from it."""

    root: Digest
    nodes: tuple[Node, ...]
    """The kit itself first."""
    edges: tuple[Edge, ...]
    complete: bool
    """Whether nothing that could belong to the answer was left unread."""
    rests_on: tuple[Source, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why it is incomplete."""
    directions: tuple[str, ...] = ("up", "down")
    depth: int | None = None
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def by_digest(self) -> Mapping[Digest, Node]:
        """The kits by digest."""
        return {each.digest: each for each in self.nodes}

    @property
    def node(self) -> Node:
        """The kit that was asked for."""
        return self.by_digest[self.root]

    def parents(self, digest: Digest) -> tuple[Edge, ...]:
        """Return what a kit was made from, in a stable order."""
        return self._up.get(digest, ())

    def children(self, digest: Digest) -> tuple[Edge, ...]:
        """Return what was made from a kit, in a stable order."""
        return self._down.get(digest, ())

    @cached_property
    def _up(self) -> Mapping[Digest, tuple[Edge, ...]]:
        return _grouped(self.edges, "child")

    @cached_property
    def _down(self) -> Mapping[Digest, tuple[Edge, ...]]:
        return _grouped(self.edges, "parent")

    def to_json(self) -> dict[str, Any]:
        """Return the graph as `--json` prints it."""
        return {
            "root": str(self.root),
            "complete": self.complete,
            "incompleteBecause": list(self.reasons),
            "directions": list(self.directions),
            "depth": self.depth,
            "nodes": [each.to_json() for each in self.nodes],
            "edges": [each.to_json() for each in sorted(self.edges)],
            "restsOn": [each.to_json() for each in self.rests_on],
            "warnings": list(self.warnings),
        }

    def render(self, format: str = "text") -> str:
        """Return the graph as text, JSON, Mermaid, Graphviz DOT, OpenLineage or an HTML page.

        Raises:
            UsageError: if there is no such format.
        """
        from kitline.lineage.render import render

        if format not in FORMATS:
            raise UsageError(f"there is no format {format!r}; choose one of {', '.join(FORMATS)}")
        return render(self, format)

    def _repr_html_(self) -> str:
        """Return the page in a frame, where its styles and the notebook's do not meet."""
        page = escape(self.render("html"))
        style = "width: 100%; height: 30rem; border: 0"
        return f'<iframe title="lineage" sandbox srcdoc="{page}" style="{style}"></iframe>'


def _grouped(edges: tuple[Edge, ...], end: str) -> dict[Digest, tuple[Edge, ...]]:
    found: dict[Digest, list[Edge]] = {}
    for each in edges:
        found.setdefault(each.child if end == "child" else each.parent, []).append(each)
    return {digest: tuple(sorted(several)) for digest, several in found.items()}
