"""Drawers: files and folders from anywhere laid out as one kit, without copying them.

The layout follows from roles and names alone, so the same outputs give the same digest in every
run: `model`, `datasets/NAME`, `code/NAME`, `docs/NAME`, `prompts/NAME`. Unpacking such a kit and
packing the folder gives the same digest again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kitline.errors import UsageError
from kitline.plugin import (
    Code,
    Dataset,
    Docs,
    Entry,
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


class ContentSource(Protocol):
    """A file or a folder somewhere."""

    def entries(self) -> Iterable[Entry]:
        """Return the one file under the empty path, or a folder under it and all that it holds."""

    @property
    def warnings(self) -> Sequence[str]:
        """What is left out."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """One file or folder on its way into a drawer."""

    drawer: Drawer
    name: str
    source: ContentSource
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

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out of the sources, such as sockets."""
        return tuple(warning for each in self.placed for warning in each.content.source.warnings)

    def entries(self) -> Iterable[Entry]:
        """Return folders and files, folders before their content, names in byte order.

        Raises:
            SourceError: if a source is gone, or holds what cannot be part of a kit.
        """
        folders: dict[str, Entry] = {}
        files: list[Entry] = []
        for placed in self.placed:
            for entry in _entries(placed):
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
        UsageError: if there is nothing, or no model that the parameters could belong to.
    """
    placed = tuple(_place(contents))
    if not placed:
        raise UsageError(
            "there is nothing to push: give at least one of model, dataset, code, docs, prompts"
        )
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
    return DrawerTree(kitfile=kitfile, placed=placed)


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


def _entries(placed: Placed) -> Iterator[Entry]:
    """Yield what a source holds, below the path that it has in the kit."""
    for entry in placed.content.source.entries():
        yield replace(entry, path=f"{placed.path}/{entry.path}" if entry.path else placed.path)


def _walk_order(entry: Entry) -> list[bytes]:
    return [name.encode("utf-8", "surrogateescape") for name in entry.path.split("/")]
