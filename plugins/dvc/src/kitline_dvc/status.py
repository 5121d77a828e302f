"""Status: which data of a repository came from a kit, and whether the digest still holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kitline_dvc.inside.workspace import Workspace
from kitline_dvc.note import KEY, Note

if TYPE_CHECKING:
    from pathlib import Path

    from kitline_dvc.inside.workspace import TrackedOut

State = Literal["current", "stale", "modified", "missing", "not run"]

MEANINGS: dict[State, str] = {
    "current": "the data is what the kit holds",
    "stale": "the data changed since: the digest does not hold any more",
    "modified": "the files differ from what DVC tracks; 'dvc add' would make the digest stale",
    "missing": "not checked out; 'dvc checkout' brings it back",
    "not run": "dvc.lock does not hold the kit that params name; 'dvc repro' pulls it",
}


@dataclass(frozen=True, kw_only=True)
class KitStatus:
    """One path that came from a kit."""

    path: str
    """Relative to the repository."""
    kind: Literal["export", "stage"]
    state: State
    digest: str
    """The digest that the files of the repository name, empty if the params of a stage name none;
    it holds only while not `stale`."""
    reference: str
    stage: str = ""

    @property
    def holds(self) -> bool:
        """Whether data and digest belong together."""
        return self.state in ("current", "missing")

    def to_json(self) -> dict[str, Any]:
        """Return the row as `--json` prints it."""
        return {
            "path": self.path,
            "kind": self.kind,
            "state": self.state,
            "holds": self.holds,
            "meaning": MEANINGS[self.state],
            "digest": self.digest or None,
            "reference": self.reference,
            "stage": self.stage or None,
        }


def find_status(folder: str | Path = ".") -> list[KitStatus]:
    """Return every path of the repository that came from a kit, in the order of paths.

    Raises:
        TargetError: if the folder lies in no DVC repository.
    """
    with Workspace(folder) as workspace:
        found = [_export(out) or _stage(out) for out in workspace.outs()]
    return [each for each in found if each is not None]


def _export(out: TrackedOut) -> KitStatus | None:
    note = Note.find(out.meta) if not out.stage else None
    if note is None:
        return None
    return KitStatus(
        path=out.path,
        kind="export",
        state=_state(out) if note.holds_for(out.md5) else "stale",
        digest=str(note.digest),
        reference=note.reference,
    )


def _stage(out: TrackedOut) -> KitStatus | None:
    repository = _repository(out.meta) if out.stage else None
    if repository is None:
        return None
    pairs = {name: pair for name, pair in out.params.items() if name.endswith(".digest")}
    own = pairs.get(f"{out.stage}.digest")
    locked, now = own or next(iter(pairs.values()), (None, None))
    ran = locked is not None and locked == now
    digest = now if isinstance(now, str) else ""
    return KitStatus(
        path=out.path,
        kind="stage",
        state=_state(out) if ran else "not run",
        digest=digest,
        reference=f"{repository}@{digest}" if digest else repository,
        stage=out.stage,
    )


def _repository(meta: Any) -> str | None:
    found = meta.get(KEY) if isinstance(meta, dict) else None
    name = found.get("repository") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _state(out: TrackedOut) -> State:
    match out.find_change():
        case None:
            return "current"
        case "deleted":
            return "missing"
        case _:
            return "modified"
