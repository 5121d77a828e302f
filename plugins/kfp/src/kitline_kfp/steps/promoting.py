"""Promote in a step: a stage of a repository points at this kit from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import kitline

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.keys import key_source
from kitline_kfp.steps.pushed import Pushed, leave_receipt
from kitline_kfp.steps.run import find_invocation
from kitline_kfp.steps.target import remote_of, require_pinned
from kitline_kfp.steps.values import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_kfp.steps.pushed import StepArtifact


class Promoted(NamedTuple):
    """The outputs of a step that moves a stage."""

    digest: str
    reference: str
    previous: str
    """The digest that the stage had before; empty if it is new or did not move."""


@speaks_plainly
def promote(
    reference: str,
    stage: str,
    *,
    reason: str = "",
    require: Sequence[str] = (),
    verify_key: str = "",
    to: str = "",
    kit: StepArtifact | None = None,
) -> Promoted:
    """Move a stage, such as `production`, to a kit that is named by digest, and record the move.

    Args:
        reference: With a digest.
        stage: Its name.
        reason: Why, for whoever reads the history.
        require: What has to hold, such as `signed` or `metric:accuracy:ge:0.9`.
        verify_key: The public key that `signed` asks for: its PEM text, or as of `verify`.
        to: A repository that keeps the stage, if it is not the kit's own.
        kit: An output artifact that gets digest and reference.

    Raises:
        PolicyError: if a policy or a requirement refuses the kit; the stage is where it was.
        NotFound: if the kit is not there any more.
    """
    name = require_pinned(reference)
    with key_source(verify_key) as source:
        moved = kitline.promote(
            name,
            stage,
            reason=reason,
            require=tuple(texts(require, "require")),
            verify_key=source,
            to=remote_of(to) if to else None,
            invocation=find_invocation(kit),
        )
    pushed = Pushed(digest=str(moved.digest), reference=str(moved.reference))
    leave_receipt(kit, pushed, None)
    previous = "" if moved.previous is None else str(moved.previous)
    if kit is not None:
        kit.metadata["stage"] = stage
        kit.metadata["previous"] = previous
    return Promoted(digest=pushed.digest, reference=pushed.reference, previous=previous)
