"""The components as functions to call inside a pipeline: configured, and cached as they should be.

A component cannot carry the flag that switches KFP's cache off; a task can.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

from kitline_kfp.cluster import dress
from kitline_kfp.components import dvc, lineage, mlflow, promote, pull, push, resolve, tag, verify
from kitline_kfp.configuration import current

if TYPE_CHECKING:
    from collections.abc import Callable


def in_pipeline(
    function: Callable[..., Any], factory: Callable[..., Any], *, cached: bool
) -> Callable[..., Any]:
    """Return a function that makes a task of a component; it takes the component's inputs."""
    signature = inspect.signature(function)
    kept = [signature.parameters[name] for name in _inputs(function)]
    accepted = signature.replace(parameters=kept)

    @wraps(function)
    def make_task(*args: Any, **inputs: Any) -> Any:
        # KFP takes keywords only, and says which inputs are missing
        given = accepted.bind_partial(*args, **inputs).arguments
        return dress(factory()(**given), current(), cached=cached)

    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in kept]
    make_task.__dict__["__signature__"] = signature.replace(parameters=keyword)
    return make_task


def _inputs(function: Callable[..., Any]) -> list[str]:
    """Return the names of a component's inputs; its outputs are no arguments of a task."""
    from kfp.dsl.types.type_annotations import is_artifact_wrapped_in_Output

    return [
        name
        for name, each in inspect.signature(function).parameters.items()
        if not is_artifact_wrapped_in_Output(each.annotation)
    ]


push_modelkit = in_pipeline(push.push_modelkit, push.push_modelkit_component, cached=False)
pull_modelkit = in_pipeline(pull.pull_modelkit, pull.pull_modelkit_component, cached=True)
source = pull_modelkit
resolve_modelkit = in_pipeline(
    resolve.resolve_modelkit, resolve.resolve_modelkit_component, cached=False
)
verify_modelkit = in_pipeline(
    verify.verify_modelkit, verify.verify_modelkit_component, cached=False
)
tag_modelkit = in_pipeline(tag.tag_modelkit, tag.tag_modelkit_component, cached=False)
promote_modelkit = in_pipeline(
    promote.promote_modelkit, promote.promote_modelkit_component, cached=False
)
mlflow_to_modelkit = in_pipeline(
    mlflow.mlflow_to_modelkit, mlflow.mlflow_to_modelkit_component, cached=False
)
dvc_to_modelkit = in_pipeline(dvc.dvc_to_modelkit, dvc.dvc_to_modelkit_component, cached=False)
lineage_report = in_pipeline(lineage.lineage_report, lineage.lineage_report_component, cached=False)
