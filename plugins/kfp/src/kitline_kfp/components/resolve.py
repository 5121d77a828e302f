"""resolve_modelkit: what a tag points at now."""

from typing import NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def resolve_modelkit(
    modelkit: str,
    kit: Output[Artifact],
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Return the digest that a name points at now, so that later steps are cached by content.

    Switch KFP's cache off for this task: a tag moves while its name stays. The function
    kitline_kfp.resolve_modelkit does so; this form cannot carry the flag.

    Args:
        modelkit: registry/repository:tag
        kit: Digest and reference as JSON, and in the metadata.
    """
    from kitline_kfp import steps

    return steps.resolve(modelkit, kit=kit)


def resolve_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        resolve_modelkit, base_image=base_image, packages_to_install=packages_to_install
    )
