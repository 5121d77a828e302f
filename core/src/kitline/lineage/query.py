"""Questions to the lineage index: a closure in one direction, and kits by any tool's id."""

from __future__ import annotations

import gc
from collections import deque
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kitline.lineage.facts import LAYER, MARK, RUN
from kitline.lineage.graph import Edge, Node
from kitline.lineage.index import DERIVED, STATEMENT
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kitline.lineage.index import LineageIndex

_STEP = {
    "up": "SELECT e.parent, c.depth + 1 FROM closure c JOIN edges e ON e.child = c.kit",
    "down": "SELECT e.child, c.depth + 1 FROM closure c JOIN edges e ON e.parent = c.kit",
}


def select_closure(
    index: LineageIndex, roots: Iterable[Digest], direction: str, depth: int | None
) -> None:
    """Put what is reachable from `roots` into the table `closure`, beside what is there."""
    database = index.database
    database.execute("CREATE TEMP TABLE IF NOT EXISTS closure (kit INTEGER PRIMARY KEY)")
    database.execute("CREATE TEMP TABLE IF NOT EXISTS roots (digest TEXT PRIMARY KEY)")
    database.execute("DELETE FROM roots")
    database.executemany("INSERT OR IGNORE INTO roots VALUES (?)", ((str(each),) for each in roots))
    if depth is None or depth >= _count_kits(index):
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
        (depth,),
    )


def _count_kits(index: LineageIndex) -> int:
    return int(index.database.execute("SELECT count(*) FROM kits").fetchone()[0])


def clear_closure(index: LineageIndex) -> None:
    """Empty the table `closure`."""
    index.database.execute("CREATE TEMP TABLE IF NOT EXISTS closure (kit INTEGER PRIMARY KEY)")
    index.database.execute("DELETE FROM closure")


def read_graph(index: LineageIndex) -> tuple[list[Node], list[Edge]]:
    """Return the kits in `closure`, sorted by digest, and the edges among them.

    Tens of thousands have to come in a tenth of a second: numbers are joined by the database, and
    texts are looked up once.
    """
    with _nothing_is_garbage():
        rows = index.database.execute(
            "SELECT k.id, k.digest, coalesce(k.type, ''), coalesce(k.name, ''),"
            " coalesce(k.version, ''), coalesce(k.created, '')"
            " FROM closure c JOIN kits k ON k.id = c.kit"
        ).fetchall()
        rows.sort(key=itemgetter(1))
        digests = _trusted([row[1] for row in rows])
        names = {row[0]: digest for row, digest in zip(rows, digests, strict=True)}
        return _nodes(index, rows, names), _edges(index, names)


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Keep the collector from going through tens of thousands of new objects, all in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # nobody froze anything that this would thaw
                gc.freeze()
                gc.unfreeze()  # what is new counts as old: it is not gone through at once
            gc.enable()


def _edges(index: LineageIndex, names: dict[int, Digest]) -> list[Edge]:
    labels = {
        number: (role, (source,))
        for number, role, source in index.database.execute("SELECT id, role, source FROM labels")
    }
    rows = index.database.execute(
        "SELECT e.child, e.parent, e.label FROM closure x"
        " CROSS JOIN edges e ON e.child = x.kit"  # CROSS: in the order of the edges' own key
    )
    new = tuple.__new__  # as Edge(…) does, without a call between
    if not _several_say_the_same(index):
        return [
            new(Edge, (names[child], names[parent], *labels[label]))
            for child, parent, label in rows
            if parent in names
        ]
    found: dict[tuple[int, int, str], set[str]] = {}
    for child, parent, label in rows:
        if parent in names:
            role, sources = labels[label]
            found.setdefault((child, parent, role), set()).update(sources)
    return [
        new(Edge, (names[child], names[parent], role, tuple(sorted(sources))))
        for (child, parent, role), sources in found.items()
    ]


def _several_say_the_same(index: LineageIndex) -> bool:
    """Tell whether any two kits have more than one edge; seldom, and joining them takes time."""
    found = index.database.execute(
        "SELECT 1 FROM edges GROUP BY parent, child HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    return found is not None


def _nodes(
    index: LineageIndex, rows: list[tuple[Any, ...]], names: dict[int, Digest]
) -> list[Node]:
    database = index.database
    repositories = {
        number: name.removeprefix("local:")
        for number, name in database.execute("SELECT id, name FROM repositories")
    }
    places = _gather(
        (kit, repositories[number])
        for kit, number in database.execute(
            "SELECT r.kit, r.repository FROM closure c JOIN records r ON r.kit = c.kit"
            " UNION ALL SELECT n.kit, n.repository FROM closure c JOIN notes n ON n.kit = c.kit"
        )
    )
    tagged = database.execute(
        "SELECT t.kit, t.repository, t.tag, t.stage FROM closure c JOIN tags t ON t.kit = c.kit"
    ).fetchall()
    tags = _gather((kit, tag) for kit, _, tag, is_stage in tagged if not is_stage)
    stages = _gather(
        (kit, f"{repositories[number]}:{tag}") for kit, number, tag, is_stage in tagged if is_stage
    )
    told = database.execute(
        "SELECT f.kit, f.value, f.kind FROM closure c JOIN facts f ON f.kit = c.kit"
        " AND f.kind IN (?, ?)",
        (RUN, MARK),
    ).fetchall()
    runs = _gather((kit, value) for kit, value, kind in told if kind == RUN)
    marks = _gather((kit, value) for kit, value, kind in told if kind == MARK)
    new, none = tuple.__new__, ()  # as Node(…) does, without a call between
    return [
        new(
            Node,
            (
                names[number],
                kind,
                name,
                version,
                created,
                places.get(number, none),
                tags.get(number, none),
                stages.get(number, none),
                runs.get(number, none),
                marks.get(number, none),
                none,
                number not in places,
            ),
        )
        for number, _, kind, name, version, created in rows
    ]


def _gather(rows: Iterable[tuple[int, str]]) -> dict[int, tuple[str, ...]]:
    """Return the texts of each kit, sorted and each once.

    Most kits have one, which they share with others.
    """
    alone: dict[str, tuple[str, ...]] = {}
    found: dict[int, tuple[str, ...]] = {}
    several: dict[int, set[str]] = {}
    for kit, text in rows:
        if kit not in found:
            found[kit] = alone.get(text) or alone.setdefault(text, (text,))
        else:
            several.setdefault(kit, set(found[kit])).add(text)
    found |= {kit: tuple(sorted(texts)) for kit, texts in several.items()}
    return found


def _trusted(texts: list[str]) -> list[Digest]:
    """Return digests that were checked when they were written to the index."""
    found = [object.__new__(Digest) for _ in texts]
    assign: Any = Digest.__dict__["text"]  # the slot: frozen classes have no quicker way in
    deque(map(assign.__set__, found, texts), maxlen=0)
    return found


def find_claims(index: LineageIndex, child: Digest) -> list[tuple[Digest, str, str | None]]:
    """Return what a kit is said to be made from: digest, role and the place that is claimed."""
    rows = index.database.execute(
        "SELECT DISTINCT p.digest, l.role, e.address FROM kits k JOIN edges e ON e.child = k.id"
        " JOIN kits p ON p.id = e.parent JOIN labels l ON l.id = e.label"
        " WHERE k.digest = ? ORDER BY 1, 2, 3",
        (str(child),),
    )
    return [(Digest(parent), role, address) for parent, role, address in rows]


def select_by_id(index: LineageIndex, kind: str, value: str) -> None:
    """Put the kits that a tool calls `value` into `closure`."""
    clear_closure(index)
    if kind == "digest":
        index.database.execute(
            "INSERT OR IGNORE INTO closure SELECT id FROM kits WHERE digest = ?1"
            " AND (EXISTS (SELECT 1 FROM records r WHERE r.kit = kits.id)"
            "  OR EXISTS (SELECT 1 FROM notes n WHERE n.kit = kits.id))"
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
        "WITH asked AS (SELECT id FROM kits WHERE digest = ?)"
        " SELECT name FROM repositories WHERE id IN ("
        "  SELECT repository FROM records WHERE kit = (SELECT id FROM asked)"
        "  UNION SELECT repository FROM notes WHERE kit = (SELECT id FROM asked)) ORDER BY name",
        (str(digest),),
    )
    return [row[0] for row in rows]


def find_addresses(index: LineageIndex, digest: Digest) -> list[str]:
    """Return the repositories where somebody claims that a kit lies."""
    rows = index.database.execute(
        "SELECT DISTINCT e.address FROM kits k JOIN edges e ON e.parent = k.id"
        " JOIN labels l ON l.id = e.label"
        " WHERE k.digest = ? AND e.address NOT NULL AND l.source = ? ORDER BY 1",
        (str(digest), STATEMENT),
    )
    return [row[0] for row in rows]


def find_children(index: LineageIndex, digest: Digest) -> list[tuple[Digest, str, str]]:
    """Return what was made from a kit: digest, name and a place, if one is known."""
    rows = index.database.execute(
        "SELECT c.digest, max(c.name), max(e.address) FILTER (WHERE l.source = ?)"
        " FROM kits k JOIN edges e ON e.parent = k.id JOIN kits c ON c.id = e.child"
        " JOIN labels l ON l.id = e.label"
        " WHERE k.digest = ? GROUP BY c.digest ORDER BY c.digest",
        (DERIVED, str(digest)),
    )
    found = []
    for text, name, address in rows.fetchall():
        child = Digest(text)
        place = next(iter(find_places(index, child)), address)
        found.append((child, name or "", place or ""))
    return found


def find_unread(index: LineageIndex) -> list[Digest]:
    """Return the kits in `closure` that were not read where the index is in step.

    That is the local store and repositories that were read whole; what was read of others just
    once may have been said more of since.
    """
    rows = index.database.execute(
        "SELECT k.digest FROM closure c JOIN kits k ON k.id = c.kit"
        " WHERE NOT EXISTS (SELECT 1 FROM records r JOIN repositories p ON p.id = r.repository"
        "  WHERE r.kit = c.kit AND p.read_at NOT NULL) ORDER BY 1"
    )
    return [Digest(row[0]) for row in rows]


def find_child_places(index: LineageIndex, digest: Digest) -> list[str]:
    """Return the repositories where kits lie that were made from this one."""
    rows = index.database.execute(
        "WITH children AS (SELECT DISTINCT e.child AS kit FROM kits k"
        "  JOIN edges e ON e.parent = k.id WHERE k.digest = ?)"
        " SELECT name FROM repositories WHERE id IN ("
        "  SELECT repository FROM children JOIN records USING (kit)"
        "  UNION SELECT repository FROM children JOIN notes USING (kit)) ORDER BY name",
        (str(digest),),
    )
    return [row[0] for row in rows]
