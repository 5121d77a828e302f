"""Convert in a step: an object of another tool becomes a kit, through that tool's plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed, leave_receipt
from kitline_kfp.steps.pushing import parent_texts
from kitline_kfp.steps.run import find_invocation
from kitline_kfp.steps.target import remote_of
from kitline_kfp.steps.values import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kitline_kfp.steps.pushed import StepArtifact


@speaks_plainly
def import_source(
    source: str,
    to: str,
    *,
    options: Mapping[str, str] | None = None,
    parents: Mapping[str, str] | Iterable[str] = (),
    kit: StepArtifact | None = None,
) -> Pushed:
    """Import what `source` names, such as `mlflow://runs/ID` or `dvc:data@v2`, as a ModelKit.

    Raises:
        PluginError: if the plugin that reads such sources is not installed in the step's image.
        SourceError: if the source is missing or not ready.
        StoreError: if the registry refuses; then no tag was moved.
    """
    texts((options or {}).values(), "options")
    result = kitline.import_(
        source,
        remote_of(to),
        options=dict(options or {}),
        parents=parent_texts(parents),
        invocation=find_invocation(kit),
    )
    pushed = Pushed(digest=str(result.digest), reference=str(result.reference))
    return leave_receipt(kit, pushed, result.receipt)
