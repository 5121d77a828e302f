"""Stage: a stage of dvc.yaml that pulls a kit by the digest that params.yaml holds.

`dvc.lock` then ties the digest to the md5 of the data, and switching back to a digest that ran
before takes the data from DVC's run cache.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
from kitline.errors import TargetError, UsageError
from kitline.plugin import PinnedReference

from kitline_dvc.inside.workspace import Workspace
from kitline_dvc.note import KEY
from kitline_dvc.place import resolve_place
from kitline_dvc.yaml_edit import YamlFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline import Settings

_NAME = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_DIGEST = re.compile(r"sha(256|512):[0-9a-f]+\Z")
DEFAULT_PARAMS = "params.yaml"


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """The stage that is there now; `str()` of it is the kit's pinned reference."""

    reference: PinnedReference
    name: str
    out: str
    files: tuple[str, ...]
    """What was written, relative to the folder of the dvc.yaml; empty if nothing changed."""
    previous: str | None
    """The digest that the stage pulled before, if it was another one."""
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.reference.digest),
            "stage": self.name,
            "out": self.out,
            "files": list(self.files),
            "previous": self.previous,
            "warnings": list(self.warnings),
        }


def add_stage(
    source: str,
    *,
    out: str,
    name: str = "kit",
    params: str = DEFAULT_PARAMS,
    folder: str | Path = ".",
    filters: Sequence[str] = (),
    force: bool = False,
    settings: Settings | None = None,
) -> StageResult:
    """Add a stage to the dvc.yaml of a folder, or move the one that is there to another digest.

    Raises:
        TargetError: if a stage or parameter of that name is somebody else's, or DVC refuses the
            stage; both files are then as they were.
    """
    if not _NAME.match(name):
        raise UsageError(f"{name!r} is no name of a stage; use letters, digits, '_' and '-'")
    if not params.endswith((".yaml", ".yml")):
        raise UsageError(f"parameters are kept in a YAML file, and {params!r} is none")
    reference = _resolve(source, settings)
    folder = Path(folder)
    with Workspace(folder) as workspace:
        place = resolve_place(workspace, folder, out)
        resolve_place(workspace, folder, params)
        out = os.path.relpath(place, os.path.realpath(folder)).replace(os.sep, "/")
        stages = YamlFile.read(folder / "dvc.yaml")
        values = YamlFile.read(folder / params)
        wanted = _stage(reference, out, name, params, filters)
        _set_stage(stages, name, wanted, force=force)
        previous = _set_digest(values, name, str(reference.digest), force=force)
        files = _save(workspace, values, stages)
    return StageResult(
        reference=reference,
        name=name,
        out=out,
        files=tuple(os.path.relpath(each, folder) for each in files),
        previous=previous,
        warnings=_warnings(reference),
    )


def _resolve(source: str, settings: Settings | None) -> PinnedReference:
    """Resolve the name once; the stage holds the digest."""
    with kitline.open_kit(source, settings=settings) as kit:
        found = kit.reference
    if not isinstance(found, PinnedReference):
        raise UsageError(
            f"a stage pulls from a registry or the local store, and {source!r} is a folder or file"
            " of this machine; 'kitline push' or 'kitline copy' it first"
        )
    return found


def _stage(
    reference: PinnedReference, out: str, name: str, params: str, filters: Sequence[str]
) -> dict[str, Any]:
    words = [shlex.quote(reference.name) + f"@${{{name}.digest}}", "-d", _quoted(out)]
    for each in filters:
        words += ["-f", _quoted(each)]
    key = f"{name}.digest"
    stage: dict[str, Any] = {"cmd": f"kitline unpack {' '.join(words)}"}
    if params == DEFAULT_PARAMS:
        stage["params"] = [key]
    else:  # ${…} reads params.yaml by itself, other files only when told
        stage |= {"vars": [params], "params": [{params: [key]}]}
    return stage | {"outs": [out], "meta": {KEY: {"repository": reference.name}}}


def _quoted(text: str) -> str:
    """Quote a word for the shell, past DVC's templates."""
    return shlex.quote(text).replace("${", "\\${")


def _set_stage(file: YamlFile, name: str, wanted: dict[str, Any], *, force: bool) -> None:
    stages = file.data.get("stages") or {}
    if not isinstance(stages, dict):
        raise TargetError(f"cannot add a stage to {os.fspath(file.path)!r}: 'stages' is no map")
    found = stages.get(name)
    if isinstance(found, dict) and all(found.get(key) == wanted[key] for key in wanted):
        return
    if found is not None and not force:
        raise TargetError(
            f"{os.fspath(file.path)!r} has a stage {name!r} that does something else;"
            " choose another --name, or replace it with --force"
        )
    file.set_key(("stages", name), wanted)


def _set_digest(file: YamlFile, name: str, digest: str, *, force: bool) -> str | None:
    """Set the parameter; return the digest that was there, if it was another one."""
    section = file.data.get(name)
    section = {} if section is None else section
    if not isinstance(section, dict):
        raise TargetError(
            f"{os.fspath(file.path)!r} has a parameter {name!r} already; choose another --name"
        )
    found = section.get("digest")
    if found == digest:
        return None
    if found is not None and not (isinstance(found, str) and _DIGEST.match(found)) and not force:
        raise TargetError(
            f"{os.fspath(file.path)!r} has {name}.digest = {found!r}, which is no digest;"
            " choose another --name, or replace it with --force"
        )
    file.set_key((name, "digest"), digest)
    return None if found is None else str(found)


def _save(workspace: Workspace, values: YamlFile, stages: YamlFile) -> list[Path]:
    """Write both files; if DVC does not take the stage, both are as they were."""
    try:
        files = [each.path for each in (stages, values) if each.save()]
        workspace.check_stages()
    except BaseException:
        stages.restore()
        values.restore()
        raise
    return files


def _warnings(reference: PinnedReference) -> tuple[str, ...]:
    if reference.registry is not None:
        return ()
    return (
        f"{reference.name!r} lies in the local store, where others cannot pull it;"
        " push it and name the registry to share the stage",
    )
