"""tag_modelkit: a further tag for a kit that is named by digest."""

from typing import NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def tag_modelkit(
    modelkit: str,
    tag: str,
    kit: Output[Artifact],
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Give a ModelKit, named by digest, a further tag in its repository.

    Switch KFP's cache off for this task: another run may have moved the tag since. The function
    kitline_kfp.tag_modelkit does so; this form cannot carry the flag.

    Args:
        modelkit: registry/repository@sha256:…
        tag: The tag.
        kit: Digest and reference as JSON, and in the metadata.
    """
    from kitline_kfp import steps

    return steps.tag(modelkit, tag, kit=kit)


def tag_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        tag_modelkit, base_image=base_image, packages_to_install=packages_to_install
    )
