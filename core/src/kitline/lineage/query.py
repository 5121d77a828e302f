"""Questions to the lineage index: a closure in one direction, and kits by any tool's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.lineage.facts import LAYER, MARK, RUN
from kitline.lineage.graph import Node
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.lineage.index import LineageIndex

_FAR = 1_000_000
_PLACE = "CASE WHEN p.name LIKE 'local:%' THEN substr(p.name, 7) ELSE p.name END"
"""The name of a repository as people write it."""
_STEP = {
    "up": "SELECT e.parent, c.depth + 1 FROM closure c JOIN edges e ON e.child = c.kit",
    "down": "SELECT e.child, c.depth + 1 FROM closure c JOIN edges e ON e.parent = c.kit",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundEdge:
    """An edge as the index has it, one for each record that says so."""

    child: Digest
    parent: Digest
    role: str
    source: str
    address: str | None


def select_closure(
    index: LineageIndex, roots: Iterable[Digest], direction: str, depth: int | None
) -> None:
    """Put what is reachable from `roots` into the table `closure`, beside what is there."""
    database = index.database
    database.execute("CREATE TEMP TABLE IF NOT EXISTS closure (kit INTEGER PRIMARY KEY)")
    database.execute("CREATE TEMP TABLE IF NOT EXISTS roots (digest TEXT PRIMARY KEY)")
    database.execute("DELETE FROM roots")
    database.executemany("INSERT OR IGNORE INTO roots VALUES (?)", ((str(each),) for each in roots))
    if depth is None:
        # without a depth in the rows each kit comes once, so that a circle ends
        step = _STEP[direction].replace(", c.depth + 1", "")
        database.execute(
            "INSERT OR IGNORE INTO temp.closure WITH RECURSIVE closure (kit) AS ("
            " SELECT id FROM kits JOIN roots USING (digest) UNION " + step + ")"
            " SELECT kit FROM closure"
        )
        return
    database.execute(
        "INSERT OR IGNORE INTO temp.closure WITH RECURSIVE closure (kit, depth) AS ("
        " SELECT id, 0 FROM kits JOIN roots USING (digest) UNION "
        + _STEP[direction]
        + " WHERE c.depth < ?) SELECT kit FROM closure",
        (min(depth, _FAR),),
    )


def clear_closure(index: LineageIndex) -> None:
    """Empty the table `closure`."""
    index.database.execute("CREATE TEMP TABLE IF NOT EXISTS closure (kit INTEGER PRIMARY KEY)")
    index.database.execute("DELETE FROM closure")


def read_edges(index: LineageIndex) -> list[FoundEdge]:
    """Return the edges among the kits in `closure`."""
    known: dict[str, Digest] = {}

    def digest(text: str) -> Digest:
        found = known.get(text)
        if found is None:
            found = known[text] = Digest(text)
        return found

    rows = index.database.execute(
        "SELECT c.digest, p.digest, e.role, e.source, e.address FROM closure x"
        " JOIN edges e ON e.child = x.kit JOIN closure y ON y.kit = e.parent"
        " JOIN kits c ON c.id = e.child JOIN kits p ON p.id = e.parent"
        " ORDER BY c.digest, p.digest, e.role, e.source"
    )
    return [
        FoundEdge(child=digest(c), parent=digest(p), role=r, source=s, address=a)
        for c, p, r, s, a in rows
    ]


def read_nodes(index: LineageIndex) -> list[Node]:
    """Return the kits in `closure`, sorted by digest."""
    database = index.database
    places = _gather(
        database.execute(
            "SELECT r.kit, " + _PLACE + " FROM closure c JOIN places r ON r.kit = c.kit"
            " JOIN repositories p ON p.id = r.repository ORDER BY 2"
        )
    )
    tags = _gather(
        database.execute(
            "SELECT t.kit, t.tag FROM closure c JOIN tags t ON t.kit = c.kit"
            " WHERE t.stage = 0 ORDER BY t.tag"
        )
    )
    stages = _gather(
        database.execute(
            "SELECT t.kit, "
            + _PLACE
            + " || ':' || t.tag FROM closure c JOIN tags t ON t.kit = c.kit"
            " JOIN repositories p ON p.id = t.repository WHERE t.stage = 1 ORDER BY 2"
        )
    )
    told = "SELECT f.kit, f.value FROM closure c JOIN facts f ON f.kit = c.kit AND f.kind = ?"
    runs = _gather(database.execute(told + " ORDER BY f.value", (RUN,)))
    marks = _gather(database.execute(told + " ORDER BY f.value", (MARK,)))
    rows = database.execute(
        "SELECT k.id, k.digest, k.type, k.name, k.version, k.created FROM closure c"
        " JOIN kits k ON k.id = c.kit ORDER BY k.digest"
    )
    return [
        Node(
            digest=Digest(digest),
            type=type_ or "",
            name=name or "",
            version=version or "",
            created=created or "",
            places=tuple(dict.fromkeys(places.get(number, ()))),
            tags=tuple(dict.fromkeys(tags.get(number, ()))),
            stages=tuple(stages.get(number, ())),
            runs=tuple(dict.fromkeys(runs.get(number, ()))),
            marks=tuple(dict.fromkeys(marks.get(number, ()))),
            is_missing=number not in places,
        )
        for number, digest, type_, name, version, created in rows
    ]


def _gather(rows: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for kit, value in rows:
        found.setdefault(kit, []).append(value)
    return found


def select_by_id(index: LineageIndex, kind: str, value: str) -> None:
    """Put the kits that a tool calls `value` into `closure`."""
    clear_closure(index)
    if kind == "digest":
        index.database.execute(
            "INSERT OR IGNORE INTO closure SELECT id FROM kits WHERE digest = ?1"
            " AND EXISTS (SELECT 1 FROM places WHERE kit = id)"
            " UNION SELECT kit FROM facts WHERE kind = ?2 AND value = ?1",
            (value, LAYER),
        )
        return
    index.database.execute(
        "INSERT OR IGNORE INTO closure SELECT kit FROM facts WHERE kind = ? AND value = ?",
        (kind, value),
    )


def find_places(index: LineageIndex, digest: Digest) -> list[str]:
    """Return the repositories where a kit is known to lie."""
    rows = index.database.execute(
        "SELECT p.name FROM kits k JOIN places r ON r.kit = k.id"
        " JOIN repositories p ON p.id = r.repository WHERE k.digest = ? ORDER BY p.name",
        (str(digest),),
    )
    return [row[0] for row in rows]


def find_addresses(index: LineageIndex, digest: Digest) -> list[str]:
    """Return the repositories where somebody claims that a kit lies."""
    rows = index.database.execute(
        "SELECT DISTINCT e.address FROM kits k JOIN edges e ON e.parent = k.id"
        " WHERE k.digest = ? AND e.address NOT NULL AND e.source = 'statement' ORDER BY 1",
        (str(digest),),
    )
    return [row[0] for row in rows]


def find_children(index: LineageIndex, digest: Digest) -> list[tuple[Digest, str, str]]:
    """Return what was made from a kit: digest, title and a place, if one is known."""
    rows = index.database.execute(
        "SELECT DISTINCT c.digest, c.name, coalesce((SELECT p.name FROM places r"
        "  JOIN repositories p ON p.id = r.repository WHERE r.kit = c.id ORDER BY 1 LIMIT 1),"
        " (SELECT d.address FROM edges d WHERE d.child = c.id AND d.parent = k.id"
        "  AND d.source = 'derived' AND d.address NOT NULL ORDER BY 1 LIMIT 1))"
        " FROM kits k JOIN edges e ON e.parent = k.id JOIN kits c ON c.id = e.child"
        " WHERE k.digest = ? ORDER BY c.digest",
        (str(digest),),
    )
    return [(Digest(child), name or "", place or "") for child, name, place in rows]


def find_unread(index: LineageIndex) -> list[Digest]:
    """Return the kits in `closure` that others name and that were not read yet."""
    rows = index.database.execute(
        "SELECT k.digest FROM closure c JOIN kits k ON k.id = c.kit"
        " WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.kit = c.kit) ORDER BY 1"
    )
    return [Digest(row[0]) for row in rows]


def find_child_places(index: LineageIndex, digest: Digest) -> list[str]:
    """Return the repositories where kits lie that were made from this one."""
    rows = index.database.execute(
        "SELECT DISTINCT p.name FROM kits k JOIN edges e ON e.parent = k.id"
        " JOIN places r ON r.kit = e.child JOIN repositories p ON p.id = r.repository"
        " WHERE k.digest = ? ORDER BY 1",
        (str(digest),),
    )
    return [row[0] for row in rows]
