"""Drawers: files and folders from anywhere laid out as one kit, without copying them.

The layout follows from roles and names alone, so the same outputs give the same digest in every
run: `model`, `datasets/NAME`, `code/NAME`, `docs/NAME`, `prompts/NAME`. Unpacking such a kit and
packing the folder gives the same digest again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from kitline.errors import SourceError, UsageError
from kitline.plugin import (
    Code,
    Dataset,
    Docs,
    Entry,
    FolderTree,
    Kitfile,
    Model,
    Package,
    Part,
    Prompt,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Drawer = Literal["model", "part", "dataset", "code", "docs", "prompt"]
_FOLDERS: dict[Drawer, str] = {
    "model": "model",
    "part": "model-parts",
    "dataset": "datasets",
    "code": "code",
    "docs": "docs",
    "prompt": "prompts",
}
_NO_PATH = (":", "@")
"""kit reads a path with one of these as a reference to another kit."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """One file or folder on its way into a drawer."""

    drawer: Drawer
    name: str
    source: Path
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Content with its path in the kit."""

    content: Content
    path: str


@dataclass(frozen=True, kw_only=True)
class DrawerTree:
    """A KitTree over files and folders from several places."""

    kitfile: Kitfile
    placed: Sequence[Placed]
    trees: Sequence[FolderTree]

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out below the sources, such as sockets."""
        return tuple(each for tree in self.trees for each in tree.warnings)

    def entries(self) -> Iterable[Entry]:
        """Return folders and files, folders before their content, names in byte order.

        Raises:
            SourceError: if a source is gone, or holds what cannot be part of a kit.
        """
        folders: dict[str, Entry] = {}
        files: list[Entry] = []
        for placed, tree in zip(self.placed, self.trees, strict=True):
            for entry in _entries(placed, tree):
                if entry.is_folder:
                    folders[entry.path] = entry
                else:
                    files.append(entry)
        for placed in self.placed:
            for parent in PurePosixPath(placed.path).parents:
                if parent.name:
                    folders.setdefault(
                        str(parent), Entry(path=str(parent), is_folder=True, mode=0o755)
                    )
        return sorted((*folders.values(), *files), key=_walk_order)


def lay_out(
    contents: Iterable[Content],
    *,
    package: Package | None = None,
    framework: str = "",
    parameters: Any = None,
) -> DrawerTree:
    """Lay files and folders out as a kit.

    Raises:
        SourceError: if one of them is not there.
        UsageError: if there is nothing, or no model that the parameters could belong to.
    """
    placed = tuple(_place(contents))
    if not placed:
        raise UsageError(
            "there is nothing to push: give at least one of model, dataset, code, docs, prompts"
        )
    trees = tuple(_open(each.content) for each in placed)
    by_drawer: dict[str, list[Placed]] = {}
    for each in placed:
        by_drawer.setdefault(each.content.drawer, []).append(each)
    kitfile = Kitfile(
        package=package or Package(),
        model=_model(by_drawer, framework, parameters),
        code=tuple(
            Code(path=each.path, description=each.content.description)
            for each in by_drawer.get("code", ())
        ),
        datasets=tuple(
            Dataset(name=each.content.name, path=each.path, description=each.content.description)
            for each in by_drawer.get("dataset", ())
        ),
        docs=tuple(
            Docs(path=each.path, description=each.content.description)
            for each in by_drawer.get("docs", ())
        ),
        prompts=tuple(
            Prompt(name=each.content.name, path=each.path, description=each.content.description)
            for each in by_drawer.get("prompt", ())
        ),
    )
    return DrawerTree(kitfile=kitfile, placed=placed, trees=trees)


def _model(by_drawer: dict[str, list[Placed]], framework: str, parameters: Any) -> Model | None:
    models, parts = by_drawer.get("model", []), by_drawer.get("part", [])
    if len(models) > 1:
        raise UsageError("a kit holds one model; give further files of it as parts")
    if not models and (parts or parameters or framework):
        what = "parts" if parts else "parameters" if parameters else "framework"
        raise UsageError(f"{what} belong to a model, and no model was given")
    if not models:
        return None
    return Model(
        path=models[0].path,
        framework=framework,
        description=models[0].content.description,
        parts=tuple(Part(name=each.content.name, path=each.path) for each in parts),
        parameters=parameters or None,
    )


def _place(contents: Iterable[Content]) -> Iterator[Placed]:
    """Give each content its path; of two with one name, the second becomes `NAME-2`."""
    taken: set[str] = set()
    for each in contents:
        folder = _FOLDERS[each.drawer]
        if each.drawer == "model":
            yield Placed(content=each, path=folder)
            continue
        name, number = clean_name(each.name), 1
        path = f"{folder}/{name}"
        while path in taken:
            number += 1
            path = f"{folder}/{name}-{number}"
        taken.add(path)
        named = path.rpartition("/")[2] if number > 1 else each.name
        yield Placed(content=replace(each, name=named), path=path)


def clean_name(name: str) -> str:
    """Return a name as one segment of a path that kit takes as it is."""
    cleaned = "".join("-" if each in (*_NO_PATH, "/", "\\") else each for each in name).strip()
    cleaned = "".join(each if each.isprintable() else "-" for each in cleaned)
    return "content" if cleaned in ("", ".", "..") else cleaned


def _open(content: Content) -> FolderTree:
    """Return a walk over a source that looks at nothing but that source.

    Raises:
        SourceError: if it is not there; KFP lists outputs that a step never wrote, too.
    """
    source = content.source
    if source.is_dir():
        return FolderTree(source, Kitfile(code=(Code(path="."),)))
    if not source.is_file():
        raise SourceError(
            f"{content.drawer} {content.name!r}: nothing is at {str(source)!r}; did the step that"
            " makes it write to the path of its output?"
        )
    return FolderTree(source.parent, Kitfile(code=(Code(path=source.name),)))


def _entries(placed: Placed, tree: FolderTree) -> Iterator[Entry]:
    if placed.content.source.is_dir():
        yield Entry(path=placed.path, is_folder=True, mode=0o755)
        for entry in tree.entries():
            yield replace(entry, path=f"{placed.path}/{entry.path}")
        return
    for entry in tree.entries():
        if not entry.is_folder:
            yield replace(entry, path=placed.path)


def _walk_order(entry: Entry) -> list[bytes]:
    return [name.encode("utf-8", "surrogateescape") for name in entry.path.split("/")]
