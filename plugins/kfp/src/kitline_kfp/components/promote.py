"""promote_modelkit: a stage points at this kit from now on, and the move is recorded."""

from typing import List, NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def promote_modelkit(
    modelkit: str,
    stage: str,
    kit: Output[Artifact],
    reason: str = "",
    require: List[str] = [],
    verify_key: str = "",
    to: str = "",
) -> NamedTuple(  # type: ignore[valid-type]
    "Outputs", [("digest", str), ("reference", str), ("previous", str)]
):
    """Move a stage, such as production, to a ModelKit that is named by digest; record the move.

    Switch KFP's cache off for this task: another run may have moved the stage since. The function
    kitline_kfp.promote_modelkit does so; this form cannot carry the flag.

    Args:
        modelkit: registry/repository@sha256:…
        stage: Its name.
        kit: Digest and reference as JSON, and in the metadata.
        reason: Why, for whoever reads the history.
        require: What has to hold, such as signed or metric:accuracy:ge:0.9.
        verify_key: The public key that signed asks for: its PEM text, a file, or env://VARIABLE.
        to: A repository that keeps the stage, if it is not the kit's own.
    """
    from kitline_kfp import steps

    return steps.promote(
        modelkit,
        stage,
        reason=reason,
        require=require,
        verify_key=verify_key,
        to=to,
        kit=kit,
    )


def promote_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        promote_modelkit, base_image=base_image, packages_to_install=packages_to_install
    )
