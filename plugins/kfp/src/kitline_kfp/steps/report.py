"""Lineage of a kit as a page that KFP shows beside the step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import kitline
from kitline.errors import UsageError

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed
from kitline_kfp.steps.target import require_pinned

if TYPE_CHECKING:
    from kitline_kfp.steps.pushed import StepArtifact


@speaks_plainly
def lineage_report(reference: str, report: StepArtifact, *, depth: int = 0) -> Pushed:
    """Write what a kit was made from, and what was made from it, as one HTML page.

    Args:
        reference: With a digest.
        report: An output artifact of type `HTML`.
        depth: How many hops; 0 for all.

    Raises:
        UsageError: if `depth` is negative.
        NotFound: if the kit is not there any more.
    """
    if depth < 0:
        raise UsageError(f"depth is {depth}; give a number of hops, or 0 for all")
    pinned = kitline.inspect(require_pinned(reference), referrers=False)
    found = kitline.trace_lineage(str(pinned.reference), depth=depth or None)
    path = Path(report.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.render("html"), encoding="utf-8")
    report.metadata["oci_digest"] = str(pinned.digest)
    report.metadata["oci_reference"] = str(pinned.reference)
    report.metadata["complete"] = "true" if found.complete else "false"
    return Pushed(digest=str(pinned.digest), reference=str(pinned.reference))
