"""Pull: drawers of a kit become the outputs of a step, each streamed once to its place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
from kitline.errors import MalformedContent, SourceError, TargetError
from kitline.plugin import unpack_kit

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed, leave_receipt
from kitline_kfp.steps.receipt import receipt_of
from kitline_kfp.steps.target import require_pinned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Kit, KitPart

    from kitline_kfp.steps.pushed import StepArtifact


@speaks_plainly
def pull(
    reference: str,
    *,
    outputs: Mapping[str, StepArtifact],
    dataset: str = "",
    kit: StepArtifact | None = None,
) -> Pushed:
    """Write drawers of a kit, named by its digest, to the paths of output artifacts.

    A drawer with one entry becomes that file or folder; one with several a folder that holds them
    under their paths in the kit. Of a drawer that the kit lacks nothing is written.

    Args:
        reference: With a digest: KFP may cache the answer.
        outputs: Artifacts by drawer: `model`, `datasets`, `code`, `docs`, `prompts`.
        dataset: Only the dataset of this name or path.
        kit: An output artifact that gets the receipt.

    Raises:
        UsageError: if the reference names no digest.
        NotFound: if the kit is not there any more.
        VerificationError: if content is not what its digest promises; nothing is kept.
    """
    with kitline.open_kit(require_pinned(reference)) as opened:
        parts = opened.kitfile.parts()
        if dataset and not any(_is_dataset(each, dataset) for each in parts):
            names = ", ".join(repr(each.name) for each in parts if each.drawer == "datasets")
            raise SourceError(
                f"{opened.reference} has no dataset {dataset!r}; it has {names or 'none'}"
            )
        pushed = Pushed(digest=str(opened.manifest.digest), reference=str(opened.reference))
        for drawer, artifact in outputs.items():
            wanted = [
                each
                for each in parts
                if each.drawer == drawer
                and (drawer != "datasets" or not dataset or _is_dataset(each, dataset))
            ]
            if wanted:
                write_drawer(opened, wanted, Path(artifact.path))
                artifact.metadata["oci_digest"] = pushed.digest
                artifact.metadata["oci_reference"] = pushed.reference
                artifact.metadata["paths"] = "\n".join(each.clean_path for each in wanted)
        return leave_receipt(kit, pushed, receipt_of(opened))


def write_drawer(kit: Kit, parts: list[KitPart], target: Path) -> None:
    """Unpack entries of a kit beside `target`, verified, and move them there when all is well.

    Raises:
        TargetError: if something is at `target`.
        VerificationError: if content is not what its digest promises; nothing is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fields = {each.field for each in parts}
    with tempfile.TemporaryDirectory(prefix=".kitline-", dir=target.parent) as staging:
        source = Path(staging) / "content"
        unpack_kit(kit, source, select=lambda part: part.field in fields, durable=False)
        if len(parts) == 1:
            source = source / parts[0].clean_path
        if not os.path.lexists(source):
            raise MalformedContent(
                f"{parts[0].field} of {kit.reference} holds nothing under its path"
                f" {parts[0].clean_path!r}"
            )
        _move(source, target)


def _move(source: Path, target: Path) -> None:
    try:
        if target.is_dir():
            target.rmdir()  # some runners make the folder of an output; an empty one is no content
        elif os.path.lexists(target):
            raise FileExistsError
    except OSError:
        raise TargetError(f"cannot write {str(target)!r}: something is there already") from None
    os.rename(source, target)


def _is_dataset(part: KitPart, name: str) -> bool:
    return part.drawer == "datasets" and name in (part.name, part.path, part.clean_path)
