"""Parents: the kits that a run says it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import InvalidDigest
from kitline.plugin import Digest, Parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Run

DIGEST_TAG = "kitline.digest"
"""On a dataset input: the kit that holds the data."""
INPUT_TAG = "kitline.input.digest"
"""On a run: the kits that it was given, with commas between them."""
_ROLE = "data"


def find_parents(run: Run) -> tuple[tuple[Parent, ...], tuple[str, ...]]:
    """Return the parents and warnings about tags that name none."""
    parents: dict[Digest, Parent] = {}
    warnings = []
    for tag, text in _stamped(run):
        reference, _, digest = text.rpartition("@")
        try:
            found = Digest(digest)
        except InvalidDigest as error:
            warnings.append(f"tag {tag!r} of run {run.info.run_id!r} names no parent: {error}")
            continue
        parents.setdefault(
            found, Parent(digest=found, role=_ROLE, reference=text if reference else None)
        )
    return tuple(parents[digest] for digest in sorted(parents)), tuple(warnings)


def _stamped(run: Run) -> Iterator[tuple[str, str]]:
    for text in run.data.tags.get(INPUT_TAG, "").split(","):
        if text.strip():
            yield INPUT_TAG, text.strip()
    for each in run.inputs.dataset_inputs if run.inputs else ():
        for tag in each.tags:
            if tag.key == DIGEST_TAG:
                yield DIGEST_TAG, tag.value.strip()
