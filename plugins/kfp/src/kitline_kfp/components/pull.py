"""pull_modelkit: drawers of a ModelKit become typed outputs."""

from typing import NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Dataset, Model, Output

from kitline_kfp.components.factory import make_component


def pull_modelkit(
    modelkit: str,
    model: Output[Model],
    datasets: Output[Dataset],
    code: Output[Artifact],
    docs: Output[Artifact],
    prompts: Output[Artifact],
    kit: Output[Artifact],
    dataset: str = "",
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Pull a ModelKit by its digest; its drawers become outputs, each byte verified.

    The name holds the digest, so KFP may cache this task: the same name is the same content. A
    name with a tag alone is refused; resolve_modelkit turns it into one with a digest.

    Args:
        modelkit: registry/repository@sha256:…
        model: The model: the file or folder that it is in the kit.
        datasets: The data: a file or folder if there is one dataset, else a folder with all.
        code: The source code.
        docs: The documents.
        prompts: The prompts.
        kit: The receipt as JSON; digest and reference are in its metadata too.
        dataset: Only the dataset of this name.
    """
    from kitline_kfp import steps

    return steps.pull(
        modelkit,
        outputs={
            "model": model,
            "datasets": datasets,
            "code": code,
            "docs": docs,
            "prompts": prompts,
        },
        dataset=dataset,
        kit=kit,
    )


def pull_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        pull_modelkit, base_image=base_image, packages_to_install=packages_to_install
    )
