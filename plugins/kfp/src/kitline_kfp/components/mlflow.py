"""mlflow_to_modelkit: a run or a model of MLflow becomes a ModelKit."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def mlflow_to_modelkit(
    source: str,
    to: str,
    kit: Output[Artifact],
    options: Dict[str, str] = {},
    parents: List[str] = [],
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Make a ModelKit of a run or a logged model, straight from MLflow's artifact store.

    The step needs MLFLOW_TRACKING_URI and whatever the artifact store asks for. The digest is
    written back to the run.

    Switch KFP's cache off for this task: a run changes while its id stays. The function
    kitline_kfp.mlflow_to_modelkit does so; this form cannot carry the flag.

    Args:
        source: Such as mlflow://runs/ID or models:/NAME/3
        to: Where to, as registry/repository:tag.
        kit: The receipt as JSON; digest and reference are in its metadata too.
        options: Of 'kitline import mlflow:…'.
        parents: Kits that this one was made from, each as ROLE=REFERENCE.
    """
    from kitline_kfp import steps

    return steps.import_source(source, to, options=options, parents=parents, kit=kit)


def mlflow_to_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        mlflow_to_modelkit,
        base_image=base_image,
        packages_to_install=packages_to_install,
        extra=("kitline-mlflow",),
    )
