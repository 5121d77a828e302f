"""Push: files, folders or artifacts of a step become a ModelKit, in one streaming pass."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
from kitline.plugin import Collected, Origin, Package

from kitline_kfp.steps.drawers import Content, lay_out
from kitline_kfp.steps.evaluation import evaluation
from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.path_source import path_source
from kitline_kfp.steps.pushed import Pushed, leave_receipt
from kitline_kfp.steps.run import find_invocation
from kitline_kfp.steps.target import remote_of
from kitline_kfp.steps.values import texts, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from kitline.plugin import Statement

    from kitline_kfp.steps.drawers import Drawer
    from kitline_kfp.steps.pushed import StepArtifact

    Source = str | PathLike[str] | StepArtifact
    Sources = Source | Sequence[Source | None] | Mapping[str, Source] | None

RECIPE = "folder/1"
"""That of `kitline pack`: the kit is a function of its files and their layout, as a folder's is."""


@speaks_plainly
def push(
    to: str,
    *,
    model: Source | None = None,
    parts: Sources = None,
    datasets: Sources = None,
    code: Sources = None,
    docs: Sources = None,
    prompts: Sources = None,
    metrics: Mapping[str, Any] | StepArtifact | None = None,
    parameters: Mapping[str, Any] | None = None,
    parents: Mapping[str, str] | Iterable[str] = (),
    name: str = "",
    version: str = "",
    description: str = "",
    license: str = "",
    framework: str = "",
    kit: StepArtifact | None = None,
) -> Pushed:
    """Push files, folders or artifacts as a ModelKit; return digest and reference.

    Give paths or KFP artifacts, several as a list or as a dict with names. The digest is a function
    of the content, names and texts given here: run, time and place go into provenance.

    Args:
        to: `registry/repository:tag`; without registry below the setting `registry`, else in the
            local store.
        model: The model, a file or a folder.
        parts: Further files of the model, such as a tokenizer.
        datasets: Data.
        code: Source code.
        docs: Documents, reports, plots.
        prompts: Prompts.
        metrics: Numbers, or an artifact of type `Metrics`; attached as an evaluation, since later
            numbers must not change the digest.
        parameters: What the model was trained with.
        parents: Kits that this one was made from, by role or as `ROLE=REFERENCE`.
        name: Of the kit.
        version: Of the kit.
        description: Of the kit.
        license: Of the kit.
        framework: Of the model.
        kit: An output artifact that gets the receipt and the digest.

    Raises:
        SourceError: if content is missing or cannot be part of a kit.
        StoreError: if the registry refuses; then no tag was moved.
    """
    contents = [
        *_contents("model", model),
        *_contents("part", parts),
        *_contents("dataset", datasets),
        *_contents("code", code),
        *_contents("docs", docs),
        *_contents("prompt", prompts),
    ]
    tree = lay_out(
        contents,
        package=Package(name=name, version=version, description=description, license=license),
        framework=framework,
        parameters=whole_numbers(dict(parameters or {})),
    )
    result = kitline.pack_collected(
        Collected(
            tree=tree,
            recipe=RECIPE,
            origin=Origin(importer="kfp", source="kfp"),
            statements=_statements(metrics),
        ),
        remote_of(to),
        parents=parent_texts(parents),
        invocation=find_invocation(kit),
    )
    pushed = Pushed(digest=str(result.digest), reference=str(result.reference))
    return leave_receipt(kit, pushed, result.receipt)


@speaks_plainly
def push_folder(
    folder: str | PathLike[str],
    to: str,
    *,
    parents: Mapping[str, str] | Iterable[str] = (),
    kit: StepArtifact | None = None,
) -> Pushed:
    """Push a folder, with or without a Kitfile, as `kitline pack` does; the digest is the same.

    Raises:
        SourceError: if the folder cannot be a kit.
        KitfileError: if its Kitfile has problems.
        StoreError: if the registry refuses; then no tag was moved.
    """
    result = kitline.pack(
        os.fspath(folder),
        remote_of(to),
        parents=parent_texts(parents),
        invocation=find_invocation(kit),
    )
    pushed = Pushed(digest=str(result.digest), reference=str(result.reference))
    return leave_receipt(kit, pushed, result.receipt)


def parent_texts(parents: Mapping[str, str] | Iterable[str]) -> list[str]:
    """Return parents as kitline takes them, `ROLE=REFERENCE`, below the step's registry."""
    if isinstance(parents, Mapping):
        texts(parents.values(), "parents")
        parents = [f"{role}={reference}" for role, reference in parents.items()]
    return [_below_registry(each) for each in texts(parents, "parents")]


def _below_registry(parent: str) -> str:
    role, equals, reference = parent.rpartition("=")
    if reference.startswith(("sha256:", "sha512:")):
        return parent
    return f"{role}{equals}{remote_of(reference)}"


def _contents(drawer: Drawer, given: Any) -> list[Content]:
    """Return what was given for a drawer: one, several, or several with names."""
    if given is None:
        return []
    if hasattr(given, "items"):
        pairs = [(str(name), each) for name, each in given.items()]
    else:
        listed = list(given) if isinstance(given, list | tuple) else [given]
        pairs = [("", each) for each in listed]
    return [_content(drawer, name, each) for name, each in pairs if each is not None]


def _content(drawer: Drawer, name: str, given: Any) -> Content:
    path = Path(given.path if hasattr(given, "uri") else os.fspath(given))
    source = path_source(path, f"{drawer} {name or path.name!r}")
    return Content(drawer=drawer, name=name or path.name, source=source)


def _statements(metrics: Mapping[str, Any] | StepArtifact | None) -> tuple[Statement, ...]:
    if metrics is None:
        return ()
    return evaluation(metrics.metadata if hasattr(metrics, "metadata") else metrics)
