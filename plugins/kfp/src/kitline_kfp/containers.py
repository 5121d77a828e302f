"""The same verbs as container components: for images of one's own, and people without Python.

Inputs and outputs are those of the Python components; the container runs `kitline kfp VERB`.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from kfp import dsl

from kitline_kfp.components import dvc, lineage, mlflow, promote, pull, push, resolve, tag, verify
from kitline_kfp.configuration import current
from kitline_kfp.tasks import in_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

_VERBS: dict[str, tuple[Callable[..., Any], str]] = {
    "push_modelkit": (push.push_modelkit, "push"),
    "pull_modelkit": (pull.pull_modelkit, "pull"),
    "resolve_modelkit": (resolve.resolve_modelkit, "resolve"),
    "verify_modelkit": (verify.verify_modelkit, "verify"),
    "tag_modelkit": (tag.tag_modelkit, "tag"),
    "promote_modelkit": (promote.promote_modelkit, "promote"),
    "mlflow_to_modelkit": (mlflow.mlflow_to_modelkit, "import"),
    "dvc_to_modelkit": (dvc.dvc_to_modelkit, "import"),
    "lineage_report": (lineage.lineage_report, "lineage"),
}
NAMES = tuple(_VERBS)


def container_component(name: str, *, image: str | None = None) -> Any:
    """Return a component such as `push_modelkit` that runs kitline's command line in `image`.

    Without an image the configured one is taken. KFP's cache is on for tasks of it, as for any
    component: switch it off where the description says so.

    Raises:
        KeyError: if there is no such component; `NAMES` lists them.
    """
    function, verb = _VERBS[name]

    def run(*inputs: Any) -> Any:
        return dsl.ContainerSpec(
            image=image or current().container_image,
            command=["kitline", "kfp", verb],
            args=[
                "--kfp-executor-input",
                dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
                "--kfp-executor-output",
                dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
            ],
        )

    run.__name__, run.__doc__ = name, function.__doc__
    run.__dict__["__signature__"] = _signature(function)
    return dsl.container_component(run)


def container_task(name: str, *, image: str | None = None) -> Callable[..., Any]:
    """Return a function that makes tasks of a container component inside a pipeline.

    As `kitline_kfp.push_modelkit` and the like do: configured, and cached as they should be.

    Raises:
        KeyError: if there is no such component; `NAMES` lists them.
    """
    function, _ = _VERBS[name]
    return in_pipeline(
        function, partial(container_component, name, image=image), cached=name == "pull_modelkit"
    )


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a container: output parameters are files that it writes."""
    given = inspect.signature(function)
    outputs = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=dsl.OutputPath(str))
        for name in given.return_annotation._fields
    ]
    inputs = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in given.parameters.values()
    ]
    return inspect.Signature([*inputs, *outputs])
