"""Names in a step: what a tag points at now, and a further tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
from kitline.errors import NotFound

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed, leave_receipt
from kitline_kfp.steps.target import remote_of, require_pinned

if TYPE_CHECKING:
    from kitline_kfp.steps.pushed import StepArtifact


@speaks_plainly
def resolve(reference: str, *, kit: StepArtifact | None = None) -> Pushed:
    """Return what a name points at now, so that later steps name it by digest.

    Raises:
        NotFound: if there is no such kit.
    """
    name = remote_of(reference)
    found = kitline.resolve(name)
    if found is None:
        kitline.inspect(name)  # says what is there instead
        raise NotFound(f"nothing is at {name!r}")
    pushed = Pushed(digest=str(found.digest), reference=str(found))
    return leave_receipt(kit, pushed, None)


@speaks_plainly
def tag(reference: str, tag: str, *, kit: StepArtifact | None = None) -> Pushed:
    """Give a kit, named by digest, a further tag in its repository.

    Raises:
        NotFound: if the kit is not there any more.
    """
    result = kitline.tag(require_pinned(reference), tag)
    pushed = Pushed(digest=str(result.digest), reference=str(result.reference))
    return leave_receipt(kit, pushed, result.receipt)
