"""dvc_to_modelkit: data that DVC tracks becomes a ModelKit."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def dvc_to_modelkit(
    source: str,
    to: str,
    kit: Output[Artifact],
    options: Dict[str, str] = {},
    parents: List[str] = [],
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Make a ModelKit of data at a git revision, straight from DVC's cache or remote.

    The step needs git, and whatever repository and remote ask for.

    Switch KFP's cache off for this task: a branch or tag of git moves while its name stays. The
    function kitline_kfp.dvc_to_modelkit does so; this form cannot carry the flag.

    Args:
        source: Such as dvc+https://host/repository?path=data/train&rev=v2
        to: Where to, as registry/repository:tag.
        kit: The receipt as JSON; digest and reference are in its metadata too.
        options: Of 'kitline import dvc:…'.
        parents: Kits that this one was made from, each as ROLE=REFERENCE.
    """
    from kitline_kfp import steps

    return steps.import_source(source, to, options=options, parents=parents, kit=kit)


def dvc_to_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        dvc_to_modelkit,
        base_image=base_image,
        packages_to_install=packages_to_install,
        extra=("kitline-dvc",),
    )
