"""The layout of a data kit: which drawer, entry and layer each tracked path becomes."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError
from kitline.plugin import Code, Dataset, Docs, Kitfile, Model, Part, bytes_entry

from kitline_dvc.by_reference import FileList, ReferencedFile, list_path, write_file_list
from kitline_dvc.files import file_entries
from kitline_dvc.partition import partitions
from kitline_dvc.tree import DvcTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.plugin import Entry

    from kitline_dvc.content import Found
    from kitline_dvc.inside.repository import Repository
    from kitline_dvc.options import Options
    from kitline_dvc.selection import Tracked

_PIPELINE_FILES = ("dvc.yaml", "dvc.lock")


def lay_out(
    repository: Repository,
    found: Sequence[tuple[Tracked, Found]],
    options: Options,
    facts: Mapping[str, Any],
) -> DvcTree:
    """Return the tree; `facts` are params and metrics, told by the model or the first dataset.

    Raises:
        SourceError: if data can neither be copied nor referred to in the way that was asked for.
    """
    layout = _Layout(options)
    for tracked, content in found:
        match tracked.drawer:
            case "model":
                layout.add_model(tracked, content)
            case "docs":
                layout.add_docs(tracked, content)
            case _:
                layout.add_dataset(tracked, content)
    if options.pipeline:
        layout.add_pipeline(repository)
    return layout.tree(facts)


class _Layout:
    """Collects entries of the Kitfile and the files of each."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model: Model | None = None
        self._datasets: list[Dataset] = []
        self._docs: list[Docs] = []
        self._code: list[Code] = []
        self._files: dict[str, list[Entry]] = {}

    def add_model(self, tracked: Tracked, content: Found) -> None:
        name = posixpath.basename(tracked.path)
        known = _known(tracked.path, content)
        if self._model is None:
            self._model = Model(name=name, path=tracked.path, parameters={"dvc": known})
            self._files["model"] = file_entries(content.files)
            return
        parts = self._model.parts
        self._files[f"model.parts[{len(parts)}]"] = file_entries(content.files)
        self._model = replace(self._model, parts=(*parts, Part(name=name, path=tracked.path)))

    def add_docs(self, tracked: Tracked, content: Found) -> None:
        self._files[f"docs[{len(self._docs)}]"] = file_entries(content.files)
        self._docs.append(Docs(path=tracked.path))

    def add_dataset(self, tracked: Tracked, content: Found) -> None:
        name = posixpath.basename(tracked.path)
        known = _known(tracked.path, content)
        if self._options.data == "reference":
            self._add_reference(tracked, content, name, known)
            return
        split = self._options.split
        for each in partitions(tracked.path, content.files, split):
            told = (
                {**known, "split": split.text}
                if split and each.files is not content.files
                else known
            )
            self._add(
                Dataset(
                    name=f"{name}/{each.name}" if each.name else name,
                    path=each.path,
                    parameters={"dvc": told},
                ),
                file_entries(each.files),
            )

    def add_pipeline(self, repository: Repository) -> None:
        for path in _PIPELINE_FILES:
            if repository.has_git_file(path):
                self._files[f"code[{len(self._code)}]"] = [
                    bytes_entry(path, repository.read_git(path))
                ]
                self._code.append(Code(path=path))
        if not self._code:
            raise SourceError(
                f"option 'pipeline' asks for {' and '.join(_PIPELINE_FILES)}, and commit"
                f" {repository.commit[:12]} has none"
            )

    def tree(self, facts: Mapping[str, Any]) -> DvcTree:
        """Return all of it."""
        if facts and self._model is not None:
            self._model = replace(self._model, parameters=_merged(self._model.parameters, facts))
        elif facts and self._datasets:
            first = self._datasets[0]
            self._datasets[0] = replace(first, parameters=_merged(first.parameters, facts))
        kitfile = Kitfile(
            model=self._model,
            datasets=tuple(self._datasets),
            docs=tuple(self._docs),
            code=tuple(self._code),
        )
        return DvcTree(kitfile=kitfile, parts=self._files)

    def _add(self, dataset: Dataset, files: list[Entry]) -> None:
        self._files[f"datasets[{len(self._datasets)}]"] = files
        self._datasets.append(dataset)

    def _add_reference(
        self, tracked: Tracked, content: Found, name: str, known: Mapping[str, str]
    ) -> None:
        if content.md5 is None or any(each.md5 is None or each.is_legacy for each in content.files):
            raise SourceError(
                f"{tracked.path!r} cannot be told by reference: not all of its files have an md5"
                " of DVC 3; import it without '-o data=reference'"
            )
        cut = len(tracked.path) + 1
        listed = FileList(
            path=tracked.path,
            md5=content.md5,
            files=tuple(
                ReferencedFile(path=each.path[cut:], size=each.size, md5=each.md5 or "")
                for each in content.files
            ),
        )
        path = list_path(tracked.path)
        self._add(
            Dataset(name=name, path=path, parameters={"dvc": {**known, "data": "reference"}}),
            [bytes_entry(path, write_file_list(listed))],
        )


def _known(path: str, content: Found) -> dict[str, str]:
    """Return what finds DVC's object again: the path that it belongs to, and its md5."""
    return {"path": path, "md5": content.md5} if content.md5 else {"path": path}


def _merged(parameters: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**(parameters or {}), **facts}
