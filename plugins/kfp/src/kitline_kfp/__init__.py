"""Kubeflow Pipelines components that hand on the digest of a ModelKit.

    import kitline_kfp

    @dsl.pipeline
    def pipeline():
        model = train(data="registry.example/team/data@sha256:…")
        kit = kitline_kfp.push_modelkit(to="registry.example/team/iris:v1", model=model.output)
        deploy(model=kit.outputs["reference"])

`push_modelkit` and the other functions make tasks inside a pipeline, with KFP's cache as it should
be; `push_modelkit_component` and the like make the components themselves. Names are loaded on first
use, so that importing this costs nothing and imports no kfp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import lazy_names

if TYPE_CHECKING:
    from kitline_kfp.components.dvc import dvc_to_modelkit_component
    from kitline_kfp.components.lineage import lineage_report_component
    from kitline_kfp.components.mlflow import mlflow_to_modelkit_component
    from kitline_kfp.components.promote import promote_modelkit_component
    from kitline_kfp.components.pull import pull_modelkit_component
    from kitline_kfp.components.push import push_modelkit_component
    from kitline_kfp.components.resolve import resolve_modelkit_component
    from kitline_kfp.components.tag import tag_modelkit_component
    from kitline_kfp.components.verify import verify_modelkit_component
    from kitline_kfp.configuration import Configuration, configure
    from kitline_kfp.tasks import (
        dvc_to_modelkit,
        lineage_report,
        mlflow_to_modelkit,
        promote_modelkit,
        pull_modelkit,
        push_modelkit,
        resolve_modelkit,
        source,
        tag_modelkit,
        verify_modelkit,
    )

__all__ = [
    "Configuration",
    "configure",
    "dvc_to_modelkit",
    "dvc_to_modelkit_component",
    "lineage_report",
    "lineage_report_component",
    "mlflow_to_modelkit",
    "mlflow_to_modelkit_component",
    "promote_modelkit",
    "promote_modelkit_component",
    "pull_modelkit",
    "pull_modelkit_component",
    "push_modelkit",
    "push_modelkit_component",
    "resolve_modelkit",
    "resolve_modelkit_component",
    "source",
    "tag_modelkit",
    "tag_modelkit_component",
    "verify_modelkit",
    "verify_modelkit_component",
]

_HOMES = {
    "Configuration": ".configuration",
    "configure": ".configuration",
    "dvc_to_modelkit": ".tasks",
    "dvc_to_modelkit_component": ".components.dvc",
    "lineage_report": ".tasks",
    "lineage_report_component": ".components.lineage",
    "mlflow_to_modelkit": ".tasks",
    "mlflow_to_modelkit_component": ".components.mlflow",
    "promote_modelkit": ".tasks",
    "promote_modelkit_component": ".components.promote",
    "pull_modelkit": ".tasks",
    "pull_modelkit_component": ".components.pull",
    "push_modelkit": ".tasks",
    "push_modelkit_component": ".components.push",
    "resolve_modelkit": ".tasks",
    "resolve_modelkit_component": ".components.resolve",
    "source": ".tasks",
    "tag_modelkit": ".tasks",
    "tag_modelkit_component": ".components.tag",
    "verify_modelkit": ".tasks",
    "verify_modelkit_component": ".components.verify",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
