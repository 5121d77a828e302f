"""Export: datasets of a kit become paths that DVC tracks, all of them or none.

Steps: 1 choose datasets and places, 2 leave out what is there already, 3 unpack beside, verified,
4 refuse what would be overwritten, 5 move, `dvc add` and note the digest; undone if that fails.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import Cancelled, MalformedContent, TargetError, UsageError
from kitline.plugin import ExportResult, LockedFolder, unpack_kit

from kitline_dvc.datasets import choose_datasets
from kitline_dvc.export_options import ExportOptions
from kitline_dvc.inside.workspace import Workspace
from kitline_dvc.note import KEY, Note
from kitline_dvc.objects import fetch_files, named_files, read_list
from kitline_dvc.place import (
    require_apart,
    resolve_place,
    staging_above,
    undoing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.plugin import ExportContext, Kit

    from kitline_dvc.datasets import KitDataset

PREFIX = "kitline-export-"
"""How the folders begin in which exports are unpacked."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One dataset on its way to its place."""

    dataset: KitDataset
    place: Path
    staged: Path
    """Where it is unpacked first."""


def export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    """Unpack datasets into a DVC repository and `dvc add` them; nothing is committed to git.

    Raises:
        TargetError: if other data is in the way, or DVC refuses the path; nothing was changed then.
        VerificationError: if content is not what its digest promises; nothing was changed then.
    """
    asked = ExportOptions.from_options(target, options)
    chosen = choose_datasets(kit, asked.dataset)
    with Workspace(asked.repo) as workspace:
        places = _places(workspace, asked, chosen)
        names = [_shown(workspace, place) for place in places.values()]
        missing = [each for each in chosen if not _is_there(workspace, kit, each, places[each])]
        if not missing:
            return ExportResult(target=", ".join(names), existed=True)
        above = staging_above(workspace, list(places.values()))
        with LockedFolder(PREFIX, above) as staging:
            moves, warnings = _unpack(workspace, kit, missing, places, staging.path, asked, context)
            if context.cancelled():
                raise Cancelled("the export was stopped; nothing was changed")
            with workspace.locked():
                warnings += _track(workspace, kit, moves, staging.path, asked)
            notes = _to_commit(workspace, [each.place for each in moves])
        return ExportResult(target=", ".join(names), warnings=tuple(warnings), notes=notes)


def _places(
    workspace: Workspace, asked: ExportOptions, chosen: Sequence[KitDataset]
) -> dict[KitDataset, Path]:
    folder = Path(asked.repo)
    if len(chosen) == 1:
        path = asked.path or chosen[0].path
        if path == ".":
            raise UsageError(
                f"dataset {chosen[0].name!r} is the whole kit; say where it goes with path=PATH"
            )
        return {chosen[0]: resolve_place(workspace, folder, path)}
    below = f"{asked.path.rstrip('/')}/" if asked.path else ""
    found = {
        each: resolve_place(workspace, folder, f"{below}{each.path}".removesuffix("/."))
        for each in chosen
    }
    require_apart(list(found.values()))
    return found


def _is_there(workspace: Workspace, kit: Kit, dataset: KitDataset, place: Path) -> bool:
    """Tell whether an earlier export left exactly this there, and nobody changed it since."""
    out = workspace.find_out(place)
    note = Note.find(out.meta) if out else None
    return bool(
        out
        and note
        and note.digest == kit.manifest.digest
        and note.reference == str(kit.reference)
        and note.layers == dataset.layers
        and note.holds_for(out.md5)
        and out.find_change() is None
    )


def _unpack(
    workspace: Workspace,
    kit: Kit,
    datasets: Sequence[KitDataset],
    places: Mapping[KitDataset, Path],
    staging: Path,
    asked: ExportOptions,
    context: ExportContext,
) -> tuple[list[Move], list[str]]:
    moves: list[Move] = []
    warnings: list[str] = []
    for number, dataset in enumerate(datasets):
        folder = staging / str(number)
        staged = folder if dataset.path == "." else folder / dataset.path
        if dataset.is_reference:
            files = named_files(read_list(kit, dataset)).values()
            fetch_files(files, folder, workspace, remote=asked.remote, context=context)
        else:
            warnings += unpack_kit(
                kit, folder, select=dataset.holds, durable=False, progress=context.progress
            )
        if not os.path.lexists(staged):
            raise MalformedContent(
                f"dataset {dataset.name!r} of {kit.reference} holds nothing under its own path"
                f" {dataset.path!r}; nothing was changed"
            )
        moves.append(Move(dataset=dataset, place=places[dataset], staged=staged))
    return moves, warnings


def _track(
    workspace: Workspace, kit: Kit, moves: Sequence[Move], staging: Path, asked: ExportOptions
) -> list[str]:
    """Put everything in its place and let DVC track it; returns warnings."""
    changed = [each for each in moves if _differs(workspace, each, force=asked.force)]
    warnings = []
    with undoing(staging) as undo:
        for move in moves:
            undo.make_folders(move.place)  # first, so that they are empty again when they go
            undo.keep_file(Path(f"{move.place}.dvc"))
            undo.keep_file(move.place.parent / ".gitignore")
            if move in changed:
                undo.replace(move.staged, move.place)
        md5s = workspace.add({move.place: _note(kit, move).to_meta() for move in moves}, KEY)
    for move in moves:
        claimed, md5 = move.dataset.claimed_md5, md5s[move.place]
        if claimed and claimed != md5:
            warnings.append(
                f"{_shown(workspace, move.place)}: the kit says md5 {claimed}, and DVC made {md5}"
                " of it; does '.dvcignore' leave files out?"
            )
    return warnings


def _note(kit: Kit, move: Move) -> Note:
    return Note(
        digest=kit.manifest.digest, reference=str(kit.reference), layers=move.dataset.layers
    )


def _differs(workspace: Workspace, move: Move, *, force: bool) -> bool:
    """Tell whether the place has to be filled.

    Raises:
        TargetError: if that would overwrite something and nobody said `force`.
    """
    shown = _shown(workspace, move.place)
    tracked = workspace.find_out(move.place)
    if tracked is not None and (tracked.stage or tracked.is_import):
        what = f"stage {tracked.stage!r} makes it" if tracked.stage else "it is a DVC import"
        raise TargetError(f"cannot export to {shown!r}: {what}; name another path")
    is_there = os.path.lexists(move.place) and not _is_empty_folder(move.place)
    if not is_there and (tracked is None or tracked.md5 is None):
        return True
    new = workspace.hash(move.staged, ignored=True).md5
    if is_there and workspace.hash(move.place).md5 == new:
        return False
    if force or (not is_there and tracked is not None and tracked.md5 == new):
        return True
    what = "holds other data" if is_there else "is tracked with other data, not checked out"
    raise TargetError(
        f"cannot export to {shown!r}: it {what}; nothing was changed. '-o force=true' replaces it"
    )


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _to_commit(workspace: Workspace, places: Sequence[Path]) -> tuple[str, ...]:
    """Say what git should be told; kitline never commits."""
    if not workspace.has_git:
        return ()
    files = [Path(f"{place}.dvc") for place in places]
    files += [each for each in {place.parent / ".gitignore" for place in places} if each.exists()]
    shown = " ".join(sorted(_shown(workspace, each) for each in files))
    return (f"nothing was committed; to record this: git add {shown}",)


def _shown(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix()
