"""The lineage index: a small database that answers in both directions without a request.

It holds nothing that cannot be read again: a file that is damaged or of another version is made
anew. Each row knows the record (manifest in a repository) that it was read from, so that what is
gone from a repository is gone from the index.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kitline.errors import IndexDamaged, StoreError
from kitline.frozen import dataclass
from kitline.lineage.facts import KitFacts, StatedFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from kitline.lineage.edge import DerivedEdge
    from kitline.lineage.facts import Claim
    from kitline.oci.digest import Digest

VERSION = 5
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Pages that make no sense, no database, and tables other than ours."""
MANIFEST, STATEMENT, DERIVED = "manifest", "statement", "derived"
"""What says that a kit was made from another: the kit itself, a statement, an edge."""
_TABLES = """
CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
    state TEXT NOT NULL DEFAULT '', read_at TEXT, problem TEXT NOT NULL DEFAULT '');
CREATE TABLE kits (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL, type TEXT, name TEXT,
    version TEXT, created TEXT);
CREATE TABLE records (id INTEGER PRIMARY KEY, repository INTEGER NOT NULL, digest TEXT NOT NULL,
    kit INTEGER, UNIQUE (repository, digest));
CREATE INDEX records_kit ON records (kit, repository) WHERE kit IS NOT NULL;
CREATE TABLE notes (repository INTEGER NOT NULL, kit INTEGER NOT NULL,
    PRIMARY KEY (kit, repository)) WITHOUT ROWID;
CREATE TABLE tags (repository INTEGER NOT NULL, tag TEXT NOT NULL, kit INTEGER NOT NULL,
    stage INTEGER NOT NULL, PRIMARY KEY (repository, tag)) WITHOUT ROWID;
CREATE INDEX tags_kit ON tags (kit, repository, tag, stage);
CREATE TABLE labels (id INTEGER PRIMARY KEY, role TEXT NOT NULL, source TEXT NOT NULL,
    UNIQUE (role, source));
CREATE TABLE edges (child INTEGER NOT NULL, parent INTEGER NOT NULL, label INTEGER NOT NULL,
    record INTEGER NOT NULL, address TEXT,
    PRIMARY KEY (child, parent, label, record)) WITHOUT ROWID;
CREATE INDEX edges_parent ON edges (parent, child);
CREATE INDEX edges_record ON edges (record);
CREATE TABLE facts (kind TEXT NOT NULL, value TEXT NOT NULL, kit INTEGER NOT NULL,
    record INTEGER NOT NULL, PRIMARY KEY (kind, value, kit, record)) WITHOUT ROWID;
CREATE INDEX facts_kit ON facts (kit, kind);
CREATE INDEX facts_record ON facts (record);
"""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A manifest of a repository, and what it tells; other manifests tell nothing."""

    digest: Digest
    facts: KitFacts | StatedFacts | DerivedEdge | None = None


@dataclass(frozen=True, kw_only=True)
class RepositoryState:
    """When a repository was read; `state` tells whether a local one has changed since."""

    name: str
    state: str
    read_at: str | None
    """None if it was never read whole: only what was written from here is known."""
    problem: str


class LineageIndex:
    """One connection to the index; a context manager that closes. Without `path` it is in memory.

    Raises:
        StoreError: if it cannot be opened, even anew.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._database = self._open()
        self._ids: dict[str, int] = {}
        self._labels: dict[tuple[str, str], int] = {}

    @property
    def database(self) -> sqlite3.Connection:
        """The connection, for the queries of `lineage.query`."""
        return self._database

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return self._connect(":memory:")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(sqlite3.DatabaseError):
                return self._connect(self._path)
            self._remove(self._path)  # of another version, or damaged
            return self._connect(self._path)
        except (OSError, sqlite3.Error) as cause:
            where = str(self._path)
            raise StoreError(f"cannot open the lineage index {where!r}: {cause}") from cause

    def _connect(self, path: Path | str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous=NORMAL")  # what is lost is read again
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self._create(database)
            return database
        except BaseException:
            database.close()
            raise

    def _create(self, database: sqlite3.Connection) -> None:
        """Make the tables, unless another process does; a filled database has to be of us."""
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("BEGIN IMMEDIATE")
        if database.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            database.execute("COMMIT")
            return
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")

    def close(self) -> None:
        """Give up the connection."""
        self._database.close()

    def __enter__(self) -> LineageIndex:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        cause = error.__cause__ if isinstance(error, StoreError) else error
        if self._path is not None and _is_damage(cause):
            self._remove(self._path)
            raise IndexDamaged(
                f"the lineage index {str(self._path)!r} was damaged and has been removed; do that"
                " again, and it is made anew"
            ) from cause

    @staticmethod
    def _remove(path: Path) -> None:
        for each in ("", "-wal", "-shm"):
            path.with_name(path.name + each).unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside appear at once, or not at all."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                self._ids.clear()
                self._labels.clear()
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as cause:
            raise StoreError(
                f"cannot write the lineage index {str(self._path)!r}: {cause}"
            ) from cause

    def repositories(self) -> list[RepositoryState]:
        """Return the repositories that something is known of, sorted by name."""
        rows = self._database.execute(
            "SELECT name, state, read_at, problem FROM repositories ORDER BY name"
        )
        return [RepositoryState(name=n, state=s, read_at=r, problem=p) for n, s, r, p in rows]

    def known(self, repository: str) -> set[str]:
        """Return the digests of all manifests of a repository that were read."""
        return {
            row[0]
            for row in self._database.execute(
                "SELECT digest FROM records JOIN repositories r ON r.id = repository"
                " WHERE r.name = ?",
                (repository,),
            )
        }

    def note_state(
        self, repository: str, *, state: str, read_at: str | None, problem: str = ""
    ) -> None:
        """Say when a repository was read, or why it could not be."""
        number = self._repository(repository)
        if read_at is None:  # a failure: what was read before stays, with its time
            self._database.execute(
                "UPDATE repositories SET problem = ? WHERE id = ?", (problem, number)
            )
            return
        self._database.execute(
            "UPDATE repositories SET state = ?, read_at = ?, problem = ? WHERE id = ?",
            (state, read_at, problem, number),
        )

    def add(self, repository: str, records: Iterable[Record]) -> None:
        """Add what manifests of a repository tell; one that is known is left as it is."""
        number = self._repository(repository)
        for each in records:
            is_kit = isinstance(each.facts, KitFacts)
            kit = self._kit(each.digest) if is_kit else None
            cursor = self._database.execute(
                "INSERT OR IGNORE INTO records (repository, digest, kit) VALUES (?, ?, ?)",
                (number, str(each.digest), kit),
            )
            if cursor.rowcount:
                assert cursor.lastrowid is not None
                self._add_facts(cursor.lastrowid, each.facts)

    def _add_facts(self, record: int, facts: KitFacts | StatedFacts | DerivedEdge | None) -> None:
        if facts is None:
            return
        if isinstance(facts, KitFacts):
            self._database.execute(
                "UPDATE kits SET type = ?, name = ?, version = ?, created = ? WHERE digest = ?",
                (facts.type, facts.name, facts.version, facts.created, str(facts.digest)),
            )
            child = self._kit(facts.digest)
            self._add_parents(child, facts.parents, MANIFEST, record)
            self._add_ids(child, facts.ids, record)
        elif isinstance(facts, StatedFacts):
            child = self._kit(facts.subject)
            self._add_parents(child, facts.parents, STATEMENT, record)
            self._add_ids(child, facts.ids, record)
        else:
            pair = (self._kit(facts.child), self._kit(facts.parent))
            address = None if facts.reference is None else facts.reference.partition("@")[0]
            label = self._label(facts.role, DERIVED)
            self._add_edges([(*pair, label, record, address)])

    def _add_parents(self, child: int, parents: Iterable[Claim], source: str, record: int) -> None:
        self._add_edges(
            (child, self._kit(each.parent), self._label(each.role, source), record, each.address)
            for each in parents
        )

    def _add_edges(self, rows: Iterable[tuple[int, int, int, int, str | None]]) -> None:
        self._database.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?, ?, ?)", rows)

    def _add_ids(self, kit: int, ids: Iterable[tuple[str, str]], record: int) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?)",
            ((kind, value, kit, record) for kind, value in ids),
        )

    def derived_records(self, repository: str, parent: Digest) -> set[str]:
        """Return the digests of the edges beside a parent that are known in a repository."""
        rows = self._database.execute(
            "SELECT r.digest FROM edges e JOIN records r ON r.id = e.record"
            " JOIN repositories p ON p.id = r.repository JOIN kits k ON k.id = e.parent"
            " JOIN labels l ON l.id = e.label"
            " WHERE p.name = ? AND k.digest = ? AND l.source = ?",
            (repository, str(parent), DERIVED),
        )
        return {row[0] for row in rows}

    def find_tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag pointed at when the repository was read."""
        row = self._database.execute(
            "SELECT k.digest FROM tags t JOIN repositories p ON p.id = t.repository"
            " JOIN kits k ON k.id = t.kit WHERE p.name = ? AND t.tag = ?",
            (repository, tag),
        ).fetchone()
        return None if row is None else str(row[0])

    def is_read(self, digest: Digest) -> bool:
        """Tell whether a kit itself was read, not only named by others."""
        row = self._database.execute(
            "SELECT 1 FROM kits k JOIN records r ON r.kit = k.id WHERE k.digest = ?", (str(digest),)
        )
        return row.fetchone() is not None

    def drop(self, repository: str, digests: Iterable[str]) -> None:
        """Forget manifests that are not in a repository any more, with all that they told."""
        number = self._repository(repository)
        for digest in digests:
            row = self._database.execute(
                "DELETE FROM records WHERE repository = ? AND digest = ? RETURNING id",
                (number, digest),
            ).fetchone()
            if row is not None:
                self._database.execute("DELETE FROM edges WHERE record = ?", row)
                self._database.execute("DELETE FROM facts WHERE record = ?", row)

    def set_tags(self, repository: str, tags: Mapping[str, Digest], stages: set[str]) -> None:
        """Replace what is known of a repository's tags; `stages` are those that stages move."""
        number = self._repository(repository)
        self._database.execute("DELETE FROM tags WHERE repository = ?", (number,))
        self.add_tags(repository, tags, stages)

    def add_tags(self, repository: str, tags: Mapping[str, Digest], stages: set[str]) -> None:
        """Say where tags of a repository point; others stay as they are."""
        number = self._repository(repository)
        self._database.executemany(
            "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)",
            ((number, tag, self._kit(digest), int(tag in stages)) for tag, digest in tags.items()),
        )

    def note_place(self, repository: str, digest: Digest) -> None:
        """Say that a kit lies in a repository, without having read it."""
        pair = (self._repository(repository), self._kit(digest))
        self._database.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", pair)

    def drop_notes(self, repository: str) -> None:
        """Forget what was only noted of a repository, since all of it was read."""
        number = self._repository(repository)
        self._database.execute("DELETE FROM notes WHERE repository = ?", (number,))

    def forget(self, repository: str) -> None:
        """Forget a repository and all that was read there."""
        self.drop(repository, self.known(repository))
        self.drop_notes(repository)
        number = self._repository(repository)
        self._database.execute("DELETE FROM tags WHERE repository = ?", (number,))
        self._database.execute("DELETE FROM repositories WHERE id = ?", (number,))

    def _repository(self, name: str) -> int:
        self._database.execute("INSERT OR IGNORE INTO repositories (name) VALUES (?)", (name,))
        row = self._database.execute("SELECT id FROM repositories WHERE name = ?", (name,))
        return int(row.fetchone()[0])

    def _kit(self, digest: Digest) -> int:
        """Return the number of a kit, which need not be there: somebody names it."""
        text = str(digest)
        found = self._ids.get(text)
        if found is None:
            self._database.execute("INSERT OR IGNORE INTO kits (digest) VALUES (?)", (text,))
            row = self._database.execute("SELECT id FROM kits WHERE digest = ?", (text,))
            found = self._ids[text] = int(row.fetchone()[0])
        return found

    def _label(self, role: str, source: str) -> int:
        """Return the number of what an edge says, and of who says it."""
        pair = (role, source)
        found = self._labels.get(pair)
        if found is None:
            self._database.execute(
                "INSERT OR IGNORE INTO labels (role, source) VALUES (?, ?)", pair
            )
            row = self._database.execute(
                "SELECT id FROM labels WHERE role = ? AND source = ?", pair
            )
            found = self._labels[pair] = int(row.fetchone()[0])
        return found


def _is_damage(error: BaseException | None) -> bool:
    """Tell whether an index will never answer, other than one that is busy or cannot be written."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE
